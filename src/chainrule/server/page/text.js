// Every word of the page in English and Chinese. An element with data-t="name" shows its text, data-t-label says it to
// screen readers.

import { PLAY } from "./text-play.js";
import { COMPARE } from "./text-compare.js";
import { EXERCISES } from "./text-exercises.js";
import { all } from "./dom.js";
import { WORDS } from "./text-formulas.js";
import { BACKWARD } from "./text-backward.js";

const TEXTS = {
  ...PLAY,
  ...COMPARE,
  ...EXERCISES,
  ...WORDS,
  skip: ["Skip to the content", "跳到正文"],
  motto: ["The chain rule, visible and right at the same time", "看得见、也算得对的链式法则"],
  model: ["Model", "模型"],
  share: ["Share", "分享"],
  theme: ["Dark colours", "深色"],
  places: ["Places", "页面"],
  draw: ["Draw", "书写"],
  write: ["Write", "写作"],
  inside: ["Inside", "内部"],
  backward: ["Backward", "反向"],
  train: ["Train", "训练"],
  shareTitle: ["Share this scene", "分享当前画面"],
  shareText: [
    "The address holds what you drew, the network, the step and the settings. A dropped photo is not in it.",
    "链接里有你写的笔画、所选网络、步骤和各项设置；拖进来的照片不在其中。",
  ],
  shareHide: ["Hide these controls", "隐藏这些控件"],
  hide_model: ["choice of model", "模型选择"],
  hide_share: ["sharing", "分享按钮"],
  hide_tools: ["drawing tools", "书写工具"],
  hide_samples: ["test digits", "测试数字"],
  hide_train: ["training settings", "训练设置"],
  shareLink: ["Address", "链接"],
  copy: ["Copy", "复制"],
  copied: ["Copied.", "已复制。"],
  close: ["Close", "关闭"],
  inkLabel: ["Paper to draw digits on", "写数字的纸"],
  numbersLabel: ["{0} numbers, with commas between", "{0} 个数，用逗号隔开"],
  clear: ["Clear", "清空"],
  undo: ["Undo", "撤销"],
  photo: ["Photo …", "照片…"],
  drawHint: [
    "Draw a digit, or several. Or drop, paste or choose a photo.",
    "写一个或几个数字，也可以拖入、粘贴或选择一张照片。",
  ],
  promptLabel: ["The beginning of a text", "文本的开头"],
  emptyPrompt: ["Nothing is written yet.", "还没有写东西。"],
  needPrompt: ["Write the beginning of a text first.", "请先写下文本的开头。"],
  onlyTheEnd: ["The network reads {0} tokens at most: these are the last ones.", "网络最多读 {0} 个词元：这里读的是末尾的这些。"],
  nextIs: ["Next: {0}  ({1} %)", "下一个：{0}（{1} %）"],
  writeOn: ["Write on", "接着写"],
  temperature: ["Temperature", "温度"],
  seed: ["Seed", "随机种子"],
  writtenLabel: ["What the network wrote", "网络写的文本"],
  take: ["Take it as the beginning", "把它当作开头"],
  notWhole: ["(stopped: it took too long)", "（太慢，已停止）"],
  probabilities: ["Probability of each class", "各类别的概率"],
  empty: ["Nothing is drawn yet.", "还没有写东西。"],
  isA: ["This is {0}  ({1} %)", "这是 {0}（{1} %）"],
  unsure: ["Unsure: {0} ({1} %), or {2} ({3} %)?", "不确定：是 {0}（{1} %）还是 {2}（{3} %）？"],
  readAs: ["Read as numbers: {0}", "读作数字：{0}"],
  readHint: ["Boxes in the picture below; “?” is unsure.", "下图标出了位置；“?”表示不确定。"],
  steps: ["What the network gets to see", "网络看到的图像是怎样得到的"],
  step_gray: ["gray", "灰度"],
  step_ink: ["ink", "墨迹"],
  step_digit: ["digit", "数字"],
  step_centred: ["centred", "居中"],
  step_fitted: ["fitted", "缩放"],
  samples: ["Or a test digit of MNIST", "或者选一个 MNIST 测试数字"],
  sampleLabel: ["test digit {0}, number {1}", "测试数字 {0}，编号 {1}"],
  more: ["More", "换一批"],
  insideTitle: ["Inside the network", "网络内部"],
  insideHint: [
    "What each brick makes of this input: blue is above zero, orange below. Point at a unit to see what it is made of; "
      + "click a brick to open it.",
    "每块积木对当前输入做了什么：蓝色为正，橙色为负。指向一个单元，看它由什么组成；点击积木可以展开。",
  ],
  moreLeft: ["More bricks to the left", "左边还有积木"],
  moreRight: ["More bricks to the right", "右边还有积木"],
  bricksLabel: ["Bricks, from left to right", "从左到右的积木"],
  needInput: ["Draw something first, or choose a test digit.", "请先写点东西，或选一个测试数字。"],
  input: ["input", "输入"],
  parameters: ["{0} parameters", "{0} 个参数"],
  multiplyAdds: ["{0} multiplications and additions", "{0} 次乘加"],
  noParameters: ["no parameters", "没有参数"],
  open: ["Open {0}", "展开 {0}"],
  pointHint: ["Point at a unit of this brick, or walk with the arrow keys.", "指向这块积木的一个单元，或用方向键移动。"],
  shapes: ["Shapes", "形状"],
  formula: ["Formula", "公式"],
  unitTitle: ["Unit [{0}]", "单元 [{0}]"],
  unitTerms: ["It depends on {0} inputs; those that matter most:", "它依赖 {0} 个输入，其中最重要的是："],
  moreTerms: ["… and the others together", "……其余合计"],
  bias: ["bias", "偏置"],
  slopes: ["Slopes dy/dx", "斜率 dy/dx"],
  whole: ["its picture of weights", "它的权重图"],
  weightsOf: ["Weights {0}", "权重 {0}"],
  pointMap: ["Point at a cell to read it.", "指向一个格子，读出它的数值。"],
  stateAt: ["{0}: unit {1} at step {2} (“{3}”) is {4}", "{0}：第 {2} 步（“{3}”）单元 {1} 的值是 {4}"],
  b_h: ["states", "状态"],
  b_c: ["cells", "记忆单元"],
  b_i: ["input gate, how much is written", "输入门：写入多少"],
  b_f: ["forget gate, how much stays", "遗忘门：保留多少"],
  b_g: ["what is written", "写入的内容"],
  b_o: ["output gate, how much is shown", "输出门：输出多少"],
  b_r: ["reset gate, how much of the state is seen", "重置门：看到多少旧状态"],
  b_z: ["update gate, how much of the state stays", "更新门：保留多少旧状态"],
  b_n: ["the new state proposed", "候选的新状态"],
  head: ["head {0}", "第 {0} 个头"],
  headCaption: ["Head {0}: each row takes from the columns", "第 {0} 个头：每一行从各列取"],
  takes: ["Head {0}: “{1}” (step {2}) takes {3} % from “{4}” (step {5})", "第 {0} 个头：“{1}”（第 {2} 步）从“{4}”（第 {5} 步）取 {3} %"],
  nearest: ["Rows of the table, and those most like them (cosine)", "表中的行，以及与它们最相似的行（余弦）"],
  nearestHint: [
    "A token is a row of the table W, nothing else. Rows become alike where training found the tokens to be used alike.",
    "一个词元就是表 W 的一行，仅此而已。训练中用法相近的词元，它们的行也变得相近。",
  ],
  f_Affine: ["y = x · W + b: every output is a weighted sum of all inputs", "y = x · W + b：每个输出都是全部输入的加权和"],
  f_Conv2D: ["y = Σ x · W + b over a window: the same weights at every place", "y = 窗口内 Σ x · W + b：每个位置用同一组权重"],
  f_Conv1D: ["y = Σ x · W + b over a stretch of the signal: the same weights at every place", "y = 信号一段内 Σ x · W + b：每个位置用同一组权重"],
  f_PointwiseAffine: ["y = x · W + b along the last axis, the same at every place", "y = x · W + b，沿最后一个轴，每个位置相同"],
  f_Embedding: ["y = the row of W that x names", "y = W 中由 x 指定的一行"],
  f_Unembedding: ["y = x · Wᵀ with the table W of the embedding", "y = x · Wᵀ，W 就是嵌入层的表"],
  f_Positions: ["y = x + what tells the place in the sequence", "y = x + 表示序列位置的数"],
  f_RNN: ["h = tanh(x · W + h before · U + b), step by step", "h = tanh(x · W + 上一步的 h · U + b)，一步接一步"],
  f_LSTM: ["c = f · c before + i · g, h = o · tanh(c), with gates f, i, o", "c = f · 上一步的 c + i · g，h = o · tanh(c)，f、i、o 是门"],
  f_GRU: ["h = (1 − z) · n + z · h before, with gates r and z", "h = (1 − z) · n + z · 上一步的 h，r、z 是门"],
  f_Attention: ["y = softmax(q · kᵀ / √d) · v: a mixture of all steps", "y = softmax(q · kᵀ / √d) · v：所有步的加权混合"],
  f_TransformerBlock: ["y = x + attention, then + two affine layers", "y = x + 注意力，再加上两层仿射"],
  f_Padded: ["y = f(x), passing over the padding", "y = f(x)，跳过填充"],
  f_ConvTranspose2D: [
    "every x spreads x · W over a window of y; where windows overlap they add up, plus b",
    "每个 x 把 x · W 铺到 y 的一个窗口上，重叠处相加，再加 b",
  ],
  f_ReLU: ["y = max(0, x): what is below zero is cut off", "y = max(0, x)：小于零的截为零"],
  f_LeakyReLU: ["y = x where x > 0, otherwise a small part of x", "x > 0 时 y = x，否则取 x 的一小部分"],
  f_PReLU: ["y = x where x > 0, otherwise a learned part of x", "x > 0 时 y = x，否则取 x 的一部分，比例由训练得到"],
  f_Clip: ["y = x, kept between two bounds", "y = x，限制在上下界之间"],
  f_ELU: ["y = x where x > 0, otherwise α (eˣ − 1)", "x > 0 时 y = x，否则 y = α (eˣ − 1)"],
  f_SELU: ["y = 1.0507 x where x > 0, otherwise 1.7581 (eˣ − 1)", "x > 0 时 y = 1.0507 x，否则 y = 1.7581 (eˣ − 1)"],
  f_HardSigmoid: ["y = a straight line in x, cut off at 0 and 1", "y = x 的一条直线，截到 0 与 1 之间"],
  f_HardSwish: ["y = x · min(max(x / 6 + 1/2, 0), 1)", "y = x · min(max(x / 6 + 1/2, 0), 1)"],
  f_Mish: ["y = x · tanh(log(1 + eˣ))", "y = x · tanh(log(1 + eˣ))"],
  f_Sigmoid: ["y = 1 / (1 + e⁻ˣ): between 0 and 1", "y = 1 / (1 + e⁻ˣ)：在 0 与 1 之间"],
  f_Tanh: ["y = tanh x: between −1 and 1", "y = tanh x：在 −1 与 1 之间"],
  f_SiLU: ["y = x · sigmoid(x)", "y = x · sigmoid(x)"],
  f_GELU: ["y = x · Φ(x), with the normal distribution's Φ", "y = x · Φ(x)，Φ 为正态分布函数"],
  f_Softplus: ["y = log(1 + eˣ)", "y = log(1 + eˣ)"],
  f_Softmax: ["y = eˣ / Σ eˣ: probabilities", "y = eˣ / Σ eˣ：概率"],
  f_LogSoftmax: ["y = x − log Σ eˣ: logarithms of probabilities", "y = x − log Σ eˣ：概率的对数"],
  f_MaxPool1D: ["y = the largest x of a stretch", "y = 一段内最大的 x"],
  f_AvgPool1D: ["y = the mean of a stretch", "y = 一段内的平均值"],
  f_GlobalAvgPool1D: ["y = the mean of each channel", "y = 每个通道的平均值"],
  f_MaxPool2D: ["y = the largest x of a window", "y = 窗口内最大的 x"],
  f_AvgPool2D: ["y = the mean of a window", "y = 窗口内的平均值"],
  f_Upsample: ["y = x with each pixel repeated, or straight lines between pixels", "y = 重复 x 的每个像素，或在像素之间线性插值"],
  f_GlobalAvgPool2D: ["y = the mean of each channel", "y = 每个通道的平均值"],
  f_Flatten: ["y = x, written in one row", "y = x，排成一行"],
  f_Reshape: ["y = x, the same numbers in another shape", "y = x，同样的数换一个形状"],
  f_Transpose: ["y = x with its axes in another order", "y = x，轴换一个顺序"],
  f_Expand: ["y = x, repeated along axes of length 1", "y = x，沿长度为 1 的轴重复"],
  f_Slice: ["y = a part of x", "y = x 的一部分"],
  f_Pad: ["y = x with a border around it", "y = x，四周加一圈边"],
  f_Pad1D: ["y = x with something put before and behind it", "y = x，前后补上一些数"],
  f_Scale: ["y = x times a fixed number", "y = x 乘以一个固定的数"],
  f_Standardize: ["y = (x − mean) / deviation, of the training data", "y = (x − 均值) / 标准差，取自训练数据"],
  f_ScaleShift: ["y = scale · x + shift, both learned", "y = 缩放 · x + 平移，两者都由训练得到"],
  f_BatchNorm: ["y = γ (x − mean) / √variance + β, a channel at a time", "y = γ (x − 均值) / √方差 + β，逐通道计算"],
  f_LayerNorm: ["y = γ (x − mean) / √variance + β, a sample at a time", "y = γ (x − 均值) / √方差 + β，逐样本计算"],
  f_GroupNorm: ["y = γ (x − mean) / √variance + β, a group of channels at a time", "y = γ (x − 均值) / √方差 + β，逐组通道计算"],
  f_InstanceNorm: ["y = γ (x − mean) / √variance + β, each channel of a sample", "y = γ (x − 均值) / √方差 + β，逐样本逐通道计算"],
  f_RMSNorm: ["y = γ x / √mean(x²), a sample at a time", "y = γ x / √(x² 的均值)，逐样本计算"],
  f_Dropout: ["y = x here; in training some x become 0 by chance", "此处 y = x；训练时会随机把一些 x 变为 0"],
  f_Sequential: ["y = one layer after another", "y = 一层接一层"],
  f_Residual: ["y = x + f(x)", "y = x + f(x)"],
  f_Parallel: ["y = the branches side by side, added, or multiplied", "y = 各分支并排、相加或相乘"],
  f_other: ["y = f(x)", "y = f(x)"],
  ...BACKWARD,
  trainTitle: ["Train a network, live", "现场训练一个网络"],
  optimizer: ["Optimizer", "优化器"],
  rate: ["Learning rate", "学习率"],
  batch: ["Batch size", "批大小"],
  speed: ["Speed", "速度"],
  speed_full: ["as fast as it goes", "全速"],
  speed_n: ["{0} steps a second", "每秒 {0} 步"],
  gradient: ["Gradient by", "梯度来自"],
  backpropagation: ["backpropagation", "反向传播"],
  numerical: ["numerical differentiation", "数值微分"],
  both: ["both: the race", "两者赛跑"],
  oneStep: ["One step", "走一步"],
  reset: ["Reset", "重来"],
  loss: ["Loss", "损失"],
  accuracy: ["Accuracy", "准确率"],
  lossLabel: ["Curve of the loss", "损失曲线"],
  accuracyLabel: ["Curve of the accuracy", "准确率曲线"],
  training: ["training", "训练"],
  test: ["test", "测试"],
  timeline: ["Timeline", "时间轴"],
  atStep: ["step {0}: test accuracy {1} %", "第 {0} 步：测试准确率 {1} %"],
  weights: ["Weights of the first layer that learns", "第一个可学习层的权重"],
  layers: ["Gradient sizes and dead units", "梯度大小与死亡单元"],
  layersHead: ["layer, |gradient| / |parameters|, dead", "层，|梯度| / |参数|，死亡"],
  reread: ["Your drawing, as read at this step", "这一步的网络怎样读你写的字"],
  state_paused: ["paused at step {0}", "停在第 {0} 步"],
  state_playing: ["step {0}, {1} steps a second", "第 {0} 步，每秒 {1} 步"],
  state_stopped: ["ended at step {0}", "结束于第 {0} 步"],
  state_failed: ["Stopped: {0}", "已停止：{0}"],
  trouble: [
    " The loss of {0} is far above that of always giving the same answer: begin anew with a smaller learning rate.",
    " 损失 {0} 远高于总给同一个答案时的损失：请减小学习率，重新开始。",
  ],
  state_none: ["not begun", "尚未开始"],
  raceBack: ["backpropagation: {0} steps, {1} ms each, test accuracy {2} %", "反向传播：{0} 步，每步 {1} 毫秒，测试准确率 {2} %"],
  raceNumbers: [
    "numerical: {0} steps; {1} of {2} derivatives of the next one",
    "数值微分：{0} 步；下一步的 {2} 个导数已算出 {1} 个",
  ],
  raceTime: ["a whole step takes about {0} s: {1} times as long", "走完一步约需 {0} 秒：是前者的 {1} 倍"],
  offline: ["The server does not answer: is it still running?", "服务器没有回应：它还在运行吗？"],
  notPicture: ["This is no picture.", "这不是图片。"],
  api: ["What programs can ask (API)", "程序接口（API）"],
  toPage: ["To the page", "回到页面"],
  source: ["Gradients by chainrule", "梯度由 chainrule 计算"],
};

export const LANGUAGES = ["en", "zh"];
export const NAMES = Object.keys(TEXTS);
let place = 0;

export function language() {
  return LANGUAGES[place];
}

/** The text of that name, with {0}, {1} ... filled in. */
export function t(name, ...values) {
  const found = TEXTS[name];
  if (!found) return name;
  return found[place].replace(/\{(\d)\}/g, (_, index) => values[index]);
}

/** Whether there is a text of that name. */
export function has(name) {
  return name in TEXTS;
}

/** Speak that language, or the browser's where none is named. */
export function speak(name) {
  const wanted = name || (navigator.language.startsWith("zh") ? "zh" : "en");
  place = Math.max(0, LANGUAGES.indexOf(wanted));
  document.documentElement.lang = place ? "zh-CN" : "en";
  for (const element of all("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of all("[data-t-label]")) {
    element.setAttribute("aria-label", t(element.dataset.tLabel));
  }
}
