// The backward formula of every kind of brick, in the notation of maths.js. dy comes from above; h is the normalized x,
// σ² the variance with epsilon, s the sigmoid. The words to them are in text-backward.js.

const AFFINE = ["dx_{j} = Σ_{k} dy_{k} W_{j,k}", "dW_{j,k} = x_{j} dy_{k}", "db_{k} = dy_{k}"];
const CONV = [
  "dx_{c,i,j} = Σ_{f} Σ_{a,b} W_{f,c,a,b} dy_{f,i−a,j−b}",
  "dW_{f,c,a,b} = Σ_{p,q} dy_{f,p,q} x_{c,p+a,q+b}",
  "db_{f} = Σ_{p,q} dy_{f,p,q}",
];
const MAXIMUM = ['dx_{i} = Σ_{p} dy_{p} · [ "max of window " p " is at " i ]'];
const AVERAGE = ['dx_{i} = Σ_{p} frac{dy_{p}}{"numbers in window " p}'];
const GLOBAL = ["dx_{c,i,j} = frac{dy_{c}}{H W}"];
const NORM = [
  "dx = frac{1}{σ} ( dh − mean{dh} − h · mean{dh · h} ) , dh = γ · dy",
  "dγ = Σ dy · h", "dβ = Σ dy",
];
const ELEMENT = (slope) => [`dx_{j} = dy_{j} · ${slope}`];
const ADDED = ["dx_{j} = dy_{j}"];
const OTHER = ["dx_{j} = Σ_{i} dy_{i} frac{∂ y_{i}}{∂ x_{j}}"];
const PAST = "dh_{t} = dy_{t} + dh_{t+1} frac{∂ h_{t+1}}{∂ h_{t}}";

const FORMULAS = {
  Affine: AFFINE,
  PointwiseAffine: ["dx_{p,j} = Σ_{k} dy_{p,k} W_{j,k}", "dW_{j,k} = Σ_{p} x_{p,j} dy_{p,k}", "db_{k} = Σ_{p} dy_{p,k}"],
  Conv2D: CONV,
  Conv1D: [
    "dx_{c,i} = Σ_{f} Σ_{a} W_{f,c,a} dy_{f,i−a}", "dW_{f,c,a} = Σ_{p} dy_{f,p} x_{c,p+a}", "db_{f} = Σ_{p} dy_{f,p}",
  ],
  ConvTranspose2D: [
    "dx_{c,p,q} = Σ_{f} Σ_{a,b} W_{c,f,a,b} dy_{f,p+a,q+b}",
    "dW_{c,f,a,b} = Σ_{p,q} x_{c,p,q} dy_{f,p+a,q+b}", "db_{f} = Σ_{p,q} dy_{f,p,q}",
  ],
  Embedding: ["dW_{v} = Σ_{t} dy_{t} · [ x_{t} = v ]"],
  Unembedding: ["dx_{t,d} = Σ_{v} dy_{t,v} W_{v,d}", "dW_{v,d} = Σ_{t} dy_{t,v} x_{t,d}"],
  Positions: ["dx_{t} = dy_{t}", "dP_{t} = dy_{t}"],
  RNN: [PAST, "da_{t} = dh_{t} ( 1 − h_{t}^{2} )", "dx_{t} = da_{t} W^{⊤}", "dW = Σ_{t} x_{t}^{⊤} da_{t}"],
  LSTM: [
    PAST, "dc_{t} = dh_{t} o_{t} ( 1 − tanh^{2} c_{t} ) + dc_{t+1} f_{t+1}", "di_{t} = dc_{t} g_{t}", "dg_{t} = dc_{t} i_{t}",
    "df_{t} = dc_{t} c_{t−1}", "do_{t} = dh_{t} tanh c_{t}",
  ],
  GRU: [PAST, "dn_{t} = dh_{t} ( 1 − z_{t} )", "dz_{t} = dh_{t} ( h_{t−1} − n_{t} )", "dh_{t−1} = dh_{t} z_{t} + …"],
  Attention: [
    "da_{t,s} = dy_{t} · v_{s}", "dv_{s} = Σ_{t} a_{t,s} dy_{t}",
    "dz_{t,s} = a_{t,s} ( da_{t,s} − Σ_{r} a_{t,r} da_{t,r} )", "dq_{t} = frac{1}{sqrt{d}} Σ_{s} dz_{t,s} k_{s}",
    "dk_{s} = frac{1}{sqrt{d}} Σ_{t} dz_{t,s} q_{t}",
  ],
  TransformerBlock: ["dx = dy + dy frac{∂ f}{∂ x}"],
  Padded: OTHER,
  ReLU: ELEMENT("[ y_{j} > 0 ]"),
  LeakyReLU: ELEMENT('( 1 " if " x_{j} > 0 ", else slope" )'),
  PReLU: [...ELEMENT('( 1 " if " x_{j} > 0 ", else slope" )'), '"dslope" = Σ_{j} dy_{j} · min ( x_{j} , 0 )'],
  Clip: ELEMENT('[ "low" < x_{j} < "high" ]'),
  ELU: ELEMENT('( 1 " if " x_{j} > 0 ", else " α e^{x_{j}} )'),
  SELU: ELEMENT('λ ( 1 " if " x_{j} > 0 ", else " α e^{x_{j}} )'),
  HardSigmoid: ELEMENT('"slope" · [ 0 < y_{j} < 1 ]'),
  HardSwish: ELEMENT("( g_{j} + frac{x_{j}}{6} [ 0 < g_{j} < 1 ] )"),
  Mish: ELEMENT("( t_{j} + x_{j} ( 1 − t_{j}^{2} ) s ( x_{j} ) )"),
  Sigmoid: ELEMENT("y_{j} ( 1 − y_{j} )"),
  Tanh: ELEMENT("( 1 − y_{j}^{2} )"),
  SiLU: ELEMENT("s_{j} ( 1 + x_{j} ( 1 − s_{j} ) )"),
  GELU: ELEMENT("( Φ ( x_{j} ) + x_{j} φ ( x_{j} ) )"),
  Softplus: ELEMENT("s ( x_{j} )"),
  Softmax: ["dx_{j} = y_{j} ( dy_{j} − Σ_{i} dy_{i} y_{i} )"],
  LogSoftmax: ["dx_{j} = dy_{j} − e^{y_{j}} Σ_{i} dy_{i}"],
  MaxPool1D: MAXIMUM,
  MaxPool2D: MAXIMUM,
  AvgPool1D: AVERAGE,
  AvgPool2D: AVERAGE,
  GlobalAvgPool1D: ["dx_{c,i} = frac{dy_{c}}{L}"],
  GlobalAvgPool2D: GLOBAL,
  Upsample: ['dx_{i} = Σ_{p} dy_{p} · "weight of " x_{i} " in " y_{p}'],
  Flatten: ADDED,
  Reshape: ADDED,
  Transpose: ['dx = dy , "axes moved back"'],
  Expand: ['dx_{i} = Σ dy " over the copies of " x_{i}'],
  Slice: ['dx_{j} = dy_{j} " where " x_{j} " was taken, else " 0'],
  Pad: ['dx_{i} = dy " at the places of " x_{i}'],
  Pad1D: ['dx_{i} = dy " at the places of " x_{i}'],
  Scale: ELEMENT('"factor"'),
  Standardize: ELEMENT('frac{1}{"deviation"}'),
  ScaleShift: [...ELEMENT('"scale"'), '"dscale" = Σ dy · x', '"dshift" = Σ dy'],
  BatchNorm: [
    'dx = frac{γ}{σ} dy " in inference"',
    'dx = frac{γ}{σ} ( dy − mean{dy} − h · mean{dy · h} ) " in training"', "dγ = Σ dy · h", "dβ = Σ dy",
  ],
  LayerNorm: NORM,
  GroupNorm: NORM,
  InstanceNorm: NORM,
  RMSNorm: ["dx = frac{1}{σ} ( dh − h · mean{dh · h} ) , dh = γ · dy", "dγ = Σ dy · h"],
  Dropout: ['dx_{j} = dy_{j} " in inference"', 'dx_{j} = frac{dy_{j} · keep_{j}}{1 − "rate"} " in training"'],
  Sequential: OTHER,
  Residual: ["dx = dy + dy frac{∂ f}{∂ x}"],
  Parallel: ["dx = Σ_{b} dx_{b}"],
};

export const LOSS_FORMULA = 'loss = − log p_{"label"} , p_{k} = frac{e^{z_{k}}}{Σ_{i} e^{z_{i}}}';
export const LOGITS_FORMULA = "dz_{k} = frac{∂ loss}{∂ z_{k}} = p_{k} − onehot_{k}";

export const SQUARES_FORMULA = "loss = frac{1}{n} Σ_{k} ( y_{k} − t )^{2}";
export const SQUARES_GRADIENT = "dy_{k} = frac{∂ loss}{∂ y_{k}} = frac{2}{n} ( y_{k} − t )";

/** The formulas of a kind of brick; of one that has none here, the chain rule itself. */
export function formulasOf(kind) {
  return FORMULAS[kind] ?? OTHER;
}

/** Whether a kind of brick has formulas of its own. */
export function hasFormula(kind) {
  return kind in FORMULAS;
}
