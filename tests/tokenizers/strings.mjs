// Texts to compare tokenizers on: what people write, what breaks tokenizers, and random mixtures of both. The same seed
// gives the same texts.

export function random(seed) {
  let state = seed >>> 0;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

const parts = [
  ' ', '  ', '   ', '\n', '\n\n', '\r\n', '\r', '\t', '\v', '\f', '\u0085', '\u00a0', '\u1680', '\u180e', '\u2003',
  '\u200b', '\u200c', '\u200d', '\u2028', '\u2029', '\u202f', '\u3000', '\ufeff', '\u00ad', '\u2581', '\u2581\u2581',
  'a', 'the', 'The', 'HELLO', 'iPhone', 'don', "'s", "'S", "'t", "'re", "'VE", "'ll", "'\u017f", "\u2019s", 'x1',
  'straße', 'ẞ', 'é', 'e\u0301', 'ñ', 'Ångström', '\u212b', 'ﬁ', 'ﬃ', 'İ', 'ı', 'ǅ', 'ß', 'Σας', 'Привет', 'שלום', 'سلام',
  'नमस्ते', 'ไทย', '한국어', '\u1112\u1161\u11ab', '日本語', '猫', 'カタカナ', 'ｶﾞ', '、', '。', '，', '𠮷', '𝓗𝓮', '😀',
  '👩‍👩‍👧', '🇩🇪', '1️⃣', '\u{e0001}', '\u{10ffff}', '\ufffd', '\u0000', '\u0007', '\u001f', '\u007f', '\u009f',
  '0', '7', '12', '123', '1234567', '٣', '४', 'Ⅷ', '½', '²', '①', 'Ⓐ', '３', '_', '__', '-', '--', '---', '.', '...', ',',
  '!', '?', ';', ':', '/', '\\', '"', "'", '`', '(', ')', '[', ']', '{', '}', '<', '>', '|', '@', '#', '$', '%', '^', '&',
  '*', '+', '=', '~', '€', '°', '§', '…', '–', '“', '”', '«', '‿', 'http://', '.com', 'int main() {', '\n    return', '</w>',
  '##a', '<s>', '</s>', '<unk>', '<0x41>', '<0xE4>', '<pad>', '[UNK]', '[SEP]', '[CLS]', '<|endoftext|>', '<|im_end|>',
  '<|start|>', '<｜User｜>', '<think>', 'Ġ', 'Ċ', '\u0301', '\u0308\u0323', '\u094d', '\u0e33', '\u20dd', '\u06dd',
  '\uac00\u11a8', '\u0f71\u0f72\u0f74', '\u1d15e', '\u2126', '\u0344', '\ufb2c', '\u{1d15e}', '\u{1109a}\u{110ba}',
];

const fixed = [
  '', ' ', 'Hello, world!', 'The quick brown fox jumps over the lazy dog.', 'a'.repeat(300), ' '.repeat(200) + 'x',
  '\n'.repeat(70), 'ab'.repeat(150), '='.repeat(77), '1'.repeat(50), '猫'.repeat(40), '😀'.repeat(20), '\u0301'.repeat(9),
  "I'm you're he'd we'll they've it's don'T I'LL", 'for (int i = 0; i < n; ++i) {\n\tsum += a[i] * b[i];\n}\n',
  'don\u2019t can\u2019t', 'a\u0301\u0323 a\u0323\u0301', 'zero\u200bwidth\u200djoin\ufeffbom\u2028ls\u2029ps',
  '<s> text </s>  <unk> <s><s>', 'CamelCaseWordsAndHTTPServer2XMLParser', 'snake_case_words __init__ -- x--y',
  ' leading', 'trailing ', '\ttab', 'mixed \t \n \r\n  spaces', '１２３４５ ٠١٢٣ 12.5e-3 0x1F', 'Ⅷ½²①Ⓐ_‿a',
];

const blocks = [[0, 0x80], [0x80, 0x250], [0x250, 0x3000], [0x3000, 0xd800], [0xf900, 0xffff], [0x10000, 0x10500],
                [0x1d100, 0x1d7ff], [0x1f300, 0x1f650], [0x20000, 0x2a6d0]];
const newer = /[\u0897\u0cf3\u0ece\u1c89\u1c8a\u2ffc-\u2fff\u31ef\ua7ca-\ua7dd]/;

// `count` texts, some of them special tokens of the tokenizer itself.
export function strings(seed, count, own = []) {
  const next = random(seed);
  const all = parts.concat(own.slice(0, 40));
  const texts = fixed.concat(own.map((token) => `a ${token} b${token}${token}`).slice(0, 30));
  for (let i = 0; i < count; ++i) {
    let text = '';
    for (let n = 1 + next(i % 5 === 0 ? 60 : 8); n > 0; --n) text += all[next(all.length)] + (next(4) === 0 ? ' ' : '');
    texts.push(text);
  }
  for (let i = 0; i < count / 4; ++i) {
    // Any characters that have been in Unicode for some years: libraries differ on newer ones.
    let text = '';
    for (let n = 1 + next(12); n > 0; --n) {
      const [first, last] = blocks[next(blocks.length)];
      const character = String.fromCodePoint(first + next(last - first));
      if (/\p{Assigned}/u.test(character) && !newer.test(character)) text += character;
    }
    texts.push(text);
  }
  return texts;
}
