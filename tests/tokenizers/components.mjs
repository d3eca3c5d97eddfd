// Small tokenizers, each of which shows one component at work. The texts that they were made for are in strings.mjs.

const characters =
  ' !"#$%&\'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~' +
  '▁éñßöäåüıſ日本語猫カタ、。ПриветĠĊ\u0301\u0307\u2019½²①';
const merges = [
  ['t', 'h'], ['th', 'e'], ['h', 'e'], ['l', 'l'], ['he', 'll'], ['hell', 'o'], ['▁', 'the'], ['▁', '▁'], ['▁▁', '▁▁'],
  ['a', 'a'], ['aa', 'aa'], ['a', 'b'], ['ab', 'ab'], ['1', '2'], ['12', '3'], ['i', 'n'], ['in', 't'], ['日', '本'],
  ['日本', '語'], ['Ġ', 'the'], ['T', 'h'], ['e', '▁'],
];

function vocabulary(extra = []) {
  const vocab = {};
  const add = (token) => {
    if (!(token in vocab)) vocab[token] = Object.keys(vocab).length;
  };
  ['<unk>', ...characters, ...merges.map((pair) => pair.join('')), ...extra].forEach(add);
  return vocab;
}

const bytes = Array.from({length: 256}, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, '0')}>`);
const bpe = (options = {}, extra = []) => ({
  type: 'BPE', dropout: null, unk_token: '<unk>', continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: false,
  byte_fallback: false, ignore_merges: false, vocab: vocabulary(extra), merges, ...options,
});

// Which character byte-level BPE writes for a byte.
const byteCharacters = (() => {
  const printable = (b) => (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255);
  let next = 256;
  return Array.from({length: 256}, (_, b) => String.fromCodePoint(printable(b) ? b : next++));
})();
const byteBpe = (options = {}) => {
  const pairs = [['Ġ', 't'], ['h', 'e'], ['Ġt', 'he'], ['l', 'l'], ['o', 'Ġ'], ['æ', 'Ĺ'], ['æĹ', '¥'], ['1', '2'], ['Ċ', 'Ċ']];
  const vocab = {};
  [...byteCharacters, ...pairs.map((pair) => pair.join('')), 'Hello', 'ĠHTTP'].forEach((token, id) => (vocab[token] = id));
  return {type: 'BPE', dropout: null, unk_token: null, fuse_unk: false, byte_fallback: false, vocab, merges: pairs, ...options};
};

const unigram = (options = {}, more = []) => {
  const pieces = [['<unk>', 0], ...more];
  const seen = new Set(pieces.map(([piece]) => piece));
  let score = -3;
  for (const piece of ['▁', 'the', '▁the', 'a', 'aa', 'aaaa', 'ab', '12', '123', 'in', '日本', '日本語', 'o▁', ...characters]) {
    score -= 0.037;
    if (!seen.has(piece)) pieces.push([piece, score - 1 / [...piece].length]);
    seen.add(piece);
  }
  return {type: 'Unigram', unk_id: 0, vocab: pieces, ...options};
};

const wordVocabulary = () => {
  const vocab = {};
  let id = 0;
  for (const token of ['[UNK]', '[CLS]', '[SEP]', 'the', 'The', 'a', 'ab', 'hello', 'HELLO', 'don', '日', '本', ...characters]) {
    if (!(token in vocab)) vocab[token] = id++;
    if (!(`##${token}` in vocab)) vocab[`##${token}`] = id++;
  }
  return vocab;
};
const wordPiece = (options = {}) => ({
  type: 'WordPiece', unk_token: '[UNK]', continuing_subword_prefix: '##', max_input_chars_per_word: 20,
  vocab: wordVocabulary(), ...options,
});

const added = (content, options = {}) => ({
  id: 0, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true, ...options,
});
const make = (name, parts) => ({
  name,
  json: {version: '1.0', truncation: null, padding: null, added_tokens: [], normalizer: null, pre_tokenizer: null,
         post_processor: null, decoder: null, model: bpe(), ...parts},
});
const sequence = (key, ...items) => ({type: 'Sequence', [key]: items});
const replace = (pattern, content) => ({type: 'Replace', pattern, content});
const metaspace = (scheme, split = true) => ({type: 'Metaspace', replacement: '▁', prepend_scheme: scheme, split});
const split = (pattern, behavior, invert = false) => ({type: 'Split', pattern, behavior, invert});
const byteLevel = (space, regex) => ({type: 'ByteLevel', add_prefix_space: space, trim_offsets: true, use_regex: regex});

// All types but Precompiled, whose map is no text to write by hand: NormalizerTest.CharacterMapsAreReadFromTheirTrie.
const normalizers = {
  nfc: {type: 'NFC'}, nfd: {type: 'NFD'}, nfkc: {type: 'NFKC'}, nfkd: {type: 'NFKD'}, lowercase: {type: 'Lowercase'},
  nmt: {type: 'Nmt'}, bytes: {type: 'ByteLevel'},
  accents: sequence('normalizers', {type: 'NFD'}, {type: 'StripAccents'}),
  strip: {type: 'Strip', strip_left: true, strip_right: true}, stripLeft: {type: 'Strip', strip_left: true, strip_right: false},
  stripRight: {type: 'Strip', strip_left: false, strip_right: true}, prepend: {type: 'Prepend', prepend: '▁'},
  replace: replace({String: ' '}, '▁'), replaceRegex: replace({Regex: ' {2,}|\\s'}, '_'), replaceEmpty: replace({String: 'a'}, ''),
  replaceWords: replace({Regex: '\\b\\w'}, 'X'),
  llama: sequence('normalizers', {type: 'Prepend', prepend: '▁'}, replace({String: ' '}, '▁')),
  bert: {type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true},
  bertCased: {type: 'BertNormalizer', clean_text: true, handle_chinese_chars: false, strip_accents: null, lowercase: false},
};
const preTokenizers = {
  metaspaceAlways: metaspace('always'), metaspaceFirst: metaspace('first'), metaspaceNever: metaspace('never'),
  metaspaceWhole: metaspace('always', false), whitespace: {type: 'Whitespace'}, whitespaceSplit: {type: 'WhitespaceSplit'},
  bert: {type: 'BertPreTokenizer'}, digits: {type: 'Digits', individual_digits: false},
  eachDigit: {type: 'Digits', individual_digits: true}, fixed: {type: 'FixedLength', length: 3},
  wordsThenMark: sequence('pretokenizers', {type: 'WhitespaceSplit'}, metaspace('first')),
  wordsThenMarks: sequence('pretokenizers', {type: 'WhitespaceSplit'}, metaspace('always')),
  delimiter: {type: 'CharDelimiterSplit', delimiter: 'a'},
};
for (const behavior of ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous']) {
  preTokenizers[`punctuation${behavior}`] = {type: 'Punctuation', behavior};
  preTokenizers[`splitSpace${behavior}`] = split({String: ' '}, behavior);
  preTokenizers[`splitInverted${behavior}`] = split({Regex: '\\p{L}+|\\p{N}'}, behavior, true);
  preTokenizers[`splitRegex${behavior}`] = split({Regex: '\\s+|\\p{P}'}, behavior);
}
// What the pre-tokenizers of released models are made of, and the corners of the syntax.
const expressions = [
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|\\p{N}{1,3}+| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*+|\\s++$|\\s*[\\r\\n]|\\s+(?!\\S)|\\s",
  "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t)?|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s+",
  '[一-龥\\u3040-ゟ゠-ヿ]+', '[!"#$%&\'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+', '[\\p{L}&&[^\\p{Han}]]+', '\\w+', '\\W+', '\\d+',
  '[\\w\\-]+', '[^\\w\\s]+', '\\h+', '[[:alpha:]]+|[[:digit:]]', '[[:punct:]]+', '[[:^space:]]+', '[a-c[x-z]]+', '[^a-c[x-z]]+',
  '\\S+', '[\\S]+', '[^\\S ]+', '\\p{Han}+', '\\p{Hiragana}|\\p{Katakana}', '\\P{L}+', '\\p{^L}+', '\\p{Lu}\\p{Ll}*', '^\\s+', '\\s+$',
  '\\Aa|b\\z', '(?m:.)', '.+', '(?<=a)b', '(?<!a)b', '(?=[A-Z])', '\\b', '\\B', '(a)\\1', '(?<x>a)\\k<x>', 'a{2}', 'a{,2}b', 'a{2,}?',
  'a{2}+', 'a{2,3}+', 'a{2}?', 'a{x', '(?>a+)b', 'a(?i)b|c', '(?x: a b # c\n)', '\\x41|\\u0062|\\x{63}|\\t', '[\\x41-\\x43]', '\\R',
  'e|', '\\p{Alpha}+', '\\p{Alnum}+', '\\p{Letter}', '[\\p{M}\\u200d]+', '\\p{Emoji}', '(?:\\p{L}\\p{M}*)+', '[^\\n]+', '\\.',
  '(?i)THE', '(?i:straße)', '(?i:ß)', '(?i:k)', '(?i:\\u017f)', '[\\]a]', '[a\\-z]', '[-a]', '[a-]', '\\/', '\\p{Sc}|\\p{Sm}',
];
const decoders = {
  bytes: byteLevel(true, true), metaspace: metaspace('always'), metaspaceNever: metaspace('never'), wordPiece: {type: 'WordPiece', prefix: '##', cleanup: true},
  wordPiecePlain: {type: 'WordPiece', prefix: '##', cleanup: false}, bpe: {type: 'BPEDecoder', suffix: '</w>'},
  ctc: {type: 'CTC', pad_token: '<pad>', word_delimiter_token: '|', cleanup: true}, fuse: {type: 'Fuse'}, fallback: {type: 'ByteFallback'},
  replace: replace({String: '▁'}, ' '), replaceRegex: replace({Regex: '[ae]+'}, '-'),
  llama: sequence('decoders', replace({String: '▁'}, ' '), {type: 'ByteFallback'}, {type: 'Fuse'}, {type: 'Strip', content: ' ', start: 1, stop: 0}),
  fuseFirst: sequence('decoders', {type: 'Fuse'}, replace({String: 'th'}, 'TH'), replace({Regex: 'T.'}, '+')),
  fuseMetaspace: sequence('decoders', {type: 'ByteFallback'}, {type: 'Fuse'}, metaspace('never')),
};

export const components = [
  make('plain', {}),
  make('fuse_unk', {model: bpe({fuse_unk: true})}),
  make('no unk', {model: bpe({unk_token: null})}),
  make('ignore_merges', {model: bpe({ignore_merges: true}, ['hello world', 'don', 'ab']), pre_tokenizer: {type: 'WhitespaceSplit'}}),
  make('byte_fallback', {model: bpe({byte_fallback: true, fuse_unk: true}, bytes)}),
  make('some bytes', {model: bpe({byte_fallback: true, fuse_unk: true}, bytes.slice(0xe0, 0xff).concat(bytes.slice(0x80, 0xa0)))}),
  make('merges as strings', {model: bpe({merges: merges.map((pair) => pair.join(' '))})}),
  make('prefix', {model: bpe({continuing_subword_prefix: '##', vocab: wordVocabulary(), unk_token: '[UNK]', merges: [['a', '##b'], ['t', '##h']].filter(([a, b]) => a + b.slice(2) in wordVocabulary())}), pre_tokenizer: {type: 'Whitespace'}}),
  make('suffix', {model: bpe({end_of_word_suffix: '</w>', merges: [...merges, ['the', '</w>'], ['o', 'e</w>'], ['th', 'e</w>']].filter(([, b]) => b !== '</w>' && b !== 'e</w>')}, [...characters].map((c) => `${c}</w>`)), pre_tokenizer: {type: 'Whitespace'}, decoder: decoders.bpe}),
  make('bytes', {model: byteBpe(), pre_tokenizer: byteLevel(false, true), decoder: decoders.bytes}),
  make('bytes with space', {model: byteBpe(), pre_tokenizer: byteLevel(true, true), decoder: decoders.bytes}),
  make('bytes whole', {model: byteBpe({ignore_merges: true}), pre_tokenizer: byteLevel(false, false), decoder: decoders.bytes}),
  make('bytes then digits', {model: byteBpe(), pre_tokenizer: sequence('pretokenizers', byteLevel(false, true), preTokenizers.eachDigit), decoder: decoders.bytes}),
  make('bytes normalised', {model: byteBpe(), normalizer: normalizers.bytes, pre_tokenizer: split({Regex: 'Ġ+|\\p{L}+'}, 'Isolated'), decoder: decoders.bytes,
                            added_tokens: [added('<pad>', {normalized: true, special: false}), added('é!', {normalized: true, special: false})]}),
  make('unigram', {model: unigram(), pre_tokenizer: metaspace('always'), decoder: metaspace('always')}),
  make('unigram bytes', {model: unigram({byte_fallback: true}, bytes.map((b) => [b, -9])), pre_tokenizer: metaspace('first'), decoder: decoders.llama}),
  make('unigram whole', {model: unigram(), normalizer: normalizers.llama}),
  make('wordpiece', {model: wordPiece(), normalizer: normalizers.bert, pre_tokenizer: preTokenizers.bert, decoder: decoders.wordPiece,
                     added_tokens: [added('[CLS]'), added('[SEP]')],
                     post_processor: {type: 'BertProcessing', sep: ['[SEP]', 2], cls: ['[CLS]', 1]}}),
  make('wordlevel', {model: {type: 'WordLevel', vocab: wordVocabulary(), unk_token: '[UNK]'}, pre_tokenizer: {type: 'Whitespace'}}),
  make('roberta', {model: byteBpe(), pre_tokenizer: byteLevel(true, true), decoder: decoders.bytes,
                   post_processor: {type: 'RobertaProcessing', sep: ['Hello', 265], cls: ['ĠHTTP', 266], trim_offsets: true, add_prefix_space: true}}),
  make('template', {post_processor: sequence('processors', byteLevel(true, false), {
    type: 'TemplateProcessing',
    single: [{SpecialToken: {id: 'B', type_id: 0}}, {Sequence: {id: 'A', type_id: 0}}, {SpecialToken: {id: 'E', type_id: 0}}, {SpecialToken: {id: 'B', type_id: 0}}],
    pair: [{Sequence: {id: 'A', type_id: 0}}, {Sequence: {id: 'B', type_id: 1}}],
    special_tokens: {B: {id: 'B', ids: [5, 6], tokens: ['x', 'y']}, E: {id: 'E', ids: [7], tokens: ['z']}}})}),
  ...Object.entries(normalizers).map(([name, normalizer]) => make(`normalizer ${name}`, {normalizer, model: bpe({byte_fallback: true}, bytes)})),
  ...Object.entries(preTokenizers).map(([name, pre_tokenizer]) => make(`pre_tokenizer ${name}`, {pre_tokenizer, model: bpe({fuse_unk: true})})),
  ...expressions.map((Regex) => make(`expression ${Regex}`, {pre_tokenizer: split({Regex}, 'Isolated'), model: bpe({fuse_unk: true})})),
  ...expressions.map((Regex) => make(`replacing ${Regex}`, {normalizer: replace({Regex}, '_'), model: bpe({byte_fallback: true}, bytes)})),
  ...Object.entries(decoders).map(([name, decoder]) => make(`decoder ${name}`, {decoder, model: bpe({byte_fallback: true}, [...bytes, 'aa aa', '##a', '</w>']),
    added_tokens: [added('<pad>'), added('##a'), added('</w>', {special: false}), added('|')]})),
  make('added tokens', {normalizer: normalizers.llama, decoder: decoders.llama, model: bpe({byte_fallback: true}, bytes),
    added_tokens: [added('<s>'), added('</s>', {rstrip: true}), added('<pad>', {lstrip: true}), added('[SEP]', {lstrip: true, rstrip: true}),
                   added('don', {single_word: true, special: false}), added('the', {normalized: true, single_word: true, special: false}),
                   added('[CLS]', {normalized: true}), added('<|im', {special: false}), added('<|im_end|>'), added('12', {special: false})]}),
  make('added tokens lowercased', {normalizer: normalizers.lowercase, pre_tokenizer: {type: 'Whitespace'},
    added_tokens: [added('HELLO', {normalized: true, special: false}), added('The', {special: false}), added('iPhone', {normalized: true, special: false})]}),
];
