// Every word of the page in English and Chinese. An element with data-t="name" shows its text, data-t-label says it to
// screen readers.

const TEXTS = {
  skip: ["Skip to the content", "跳到正文"],
  motto: ["The chain rule, visible and right at the same time", "看得见、也算得对的链式法则"],
  model: ["Network", "网络"],
  share: ["Share", "分享"],
  theme: ["Dark colours", "深色"],
  places: ["Places", "页面"],
  draw: ["Draw", "书写"],
  inside: ["Inside", "内部"],
  backward: ["Backward", "反向"],
  train: ["Train", "训练"],
  shareTitle: ["Share this scene", "分享当前画面"],
  shareText: [
    "The address holds what you drew, the network, the step and the settings. A dropped photo is not in it.",
    "链接里有你写的笔画、所选网络、步骤和各项设置；拖进来的照片不在其中。",
  ],
  shareHide: ["Hide these controls", "隐藏这些控件"],
  hide_model: ["choice of network", "网络选择"],
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
  more: ["Others", "换一批"],
  insideTitle: ["Inside the network", "网络内部"],
  insideHint: [
    "What each brick makes of this input: blue is above zero, orange below. Point at a unit to see what it is made of; "
      + "click a brick to open it.",
    "每块积木对当前输入做了什么：蓝色为正，橙色为负。指向一个单元，看它由什么组成；点击积木可以展开。",
  ],
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
  f_Affine: ["y = x · W + b: every output is a weighted sum of all inputs", "y = x · W + b：每个输出都是全部输入的加权和"],
  f_Conv2D: ["y = Σ x · W + b over a window: the same weights at every place", "y = 窗口内 Σ x · W + b：每个位置用同一组权重"],
  f_Conv1D: ["y = Σ x · W + b over a stretch of the signal: the same weights at every place", "y = 信号一段内 Σ x · W + b：每个位置用同一组权重"],
  f_PointwiseAffine: ["y = x · W + b along the last axis, the same at every place", "y = x · W + b，沿最后一个轴，每个位置相同"],
  f_Embedding: ["y = the row of W that x names", "y = W 中由 x 指定的一行"],
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
  backwardTitle: ["The backward pass, brick by brick", "反向传播，一块一块地走"],
  trueLabel: ["It should be", "正确答案"],
  toStart: ["To the start", "回到开头"],
  stepBack: ["Back", "上一步"],
  stepOn: ["Next step", "下一步"],
  play: ["Play", "播放"],
  pause: ["Pause", "暂停"],
  overlay: ["lay dx over the drawing", "把 dx 叠在图上"],
  s_loss: ["loss", "损失"],
  s_logits: ["p − onehot", "p − onehot"],
  lossStage: [
    "The network says p({0}) = {1}. The loss is −log of it: {2}. Backward asks: how does the loss change when each "
      + "number changes a little?",
    "网络给出 p({0}) = {1}，损失是它的负对数：{2}。反向传播要问的是：每个数变化一点点，损失会怎样变化？",
  ],
  logitsStage: [
    "The loss's gradient with respect to the logits is p − onehot: what the network said, less what it should have "
      + "said.",
    "损失对 logits 的梯度就是 p − onehot：网络说的，减去它该说的。",
  ],
  brickStage: [
    "{0}: dy comes from the right, dx = dy · ∂y/∂x goes on to the left.",
    "{0}：dy 从右边来，dx = dy · ∂y/∂x 继续向左走。",
  ],
  brickWeights: ["Its parameters get their gradients as well.", "它的参数也得到了梯度。"],
  endStage: [
    "dx of the first brick says which pixels speak for and against the answer: the saliency.",
    "第一块积木的 dx 告诉我们哪些像素支持、哪些像素反对这个答案：显著图。",
  ],
  scaleLegend: ["One colour scale for all gradients (cube roots, so that small ones show)", "所有梯度共用一个色标（取立方根，小的也看得见）"],
  chooseWeight: ["Choose a weight to check its gradient: click, or arrow keys and Enter.", "选一个权重来检验它的梯度：点击，或用方向键加回车。"],
  weight: ["{0}[{1}] = {2}", "{0}[{1}] = {2}"],
  check: ["Check", "检验"],
  checking: ["checking …", "检验中……"],
  byBackprop: ["by backpropagation", "反向传播"],
  byNumbers: ["by numerical differentiation", "数值微分"],
  difference: ["relative difference", "相对误差"],
  probes: ["(loss at w + h: {0}, at w − h: {1}, h = {2}; float64)", "（w + h 处损失 {0}，w − h 处损失 {1}，h = {2}；float64）"],
  agree: ["They agree.", "两者一致。"],
  disagree: ["They differ: a kink (ReLU's zero, a pooling tie) lies between the probes.", "两者不同：两次取值之间有折点（ReLU 的零点或池化的并列）。"],
  trainTitle: ["Train a network, live", "现场训练一个网络"],
  network: ["Network", "网络"],
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
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of document.querySelectorAll("[data-t-label]")) {
    element.setAttribute("aria-label", t(element.dataset.tLabel));
  }
}
