// The words of the view "Compare", in English and Chinese.

export const COMPARE = {
  compare: ["Compare", "比较"],
  compareTitle: ["Two networks, or two moments of a training, on the same drawing", "两个网络，或同一次训练的两个时刻，看同一幅图"],
  compareHint: [
    "Choose two. What is being trained is in the list as well, and follows the training. The loss is for what the input is, or for the label chosen in Backward.",
    "选两个。正在训练的网络也在列表里，并随训练更新。损失针对输入的正确答案，或“反向”页选的答案。",
  ],
  sideOf: ["Network {0}", "网络 {0}"],
  served: ["served", "已载入"],
  trainingOf: ["training {0}: {1}", "训练 {0}：{1}"],
  trainedNow: ["trained here, newest step", "在这里训练的，最新一步"],
  otherInput: ["{0} reads other inputs or has other classes.", "{0} 读的是别的输入，或者类别不同。"],
  newestStep: ["newest step", "最新一步"],
  stepOf: ["step {0}", "第 {0} 步"],
  lossOf: ["loss, if it should be {0}: {1}", "若应为 {0}，损失为 {1}"],
  lineWay: ["Line", "直线"],
  way_between: ["from A to B", "从 A 到 B"],
  way_a: ["down the gradient of A", "沿 A 的负梯度"],
  way_b: ["down the gradient of B", "沿 B 的负梯度"],
  lineTitle: ["The loss along a line through the weights", "沿着权重空间一条直线的损失"],
  lineLabel: ["Curve of the loss along a line through the weights", "沿权重空间一条直线的损失曲线"],
  lineInput: ["this input", "这个输入"],
  lineDigits: ["{0} test digits", "{0} 个测试数字"],
  lineTangent: ["by the gradient", "按梯度"],
  betweenWords: [
    "At 0 are the weights of A, at 1 those of B, and between them mixtures of both. The dashed line has the slope that A's gradient gives: {0}.",
    "0 处是 A 的权重，1 处是 B 的权重，中间是两者的混合。虚线的斜率由 A 的梯度给出：{0}。",
  ],
  gradientWords: [
    "At 0 are the weights; at 1 they are one step of SGD further, with learning rate {1}: so far that the loss would be 0 if it were a straight line. The dashed line has the slope that the gradient gives: {0}.",
    "0 处是现在的权重；1 处是以学习率 {1} 走一步 SGD 之后：如果损失是直线，走这么远它就变成 0。虚线的斜率由梯度给出：{0}。",
  ],
  differentLayers: ["These two have different layers, so no line leads from one to the other.", "这两个网络的层不同，它们之间没有直线。"],
};
