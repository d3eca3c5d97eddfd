// Numbers and texts as a reader wants to see them. Always in English notation, as the words around them are.

const LOCALE = "en-GB";
const NO_NUMBER = "–";
const LONGEST_RUN = 4; // of one character, written out

const significant = (digits: number) => new Intl.NumberFormat(LOCALE, { maximumSignificantDigits: digits });
const decimals = (digits: number) =>
  new Intl.NumberFormat(LOCALE, { minimumFractionDigits: digits, maximumFractionDigits: digits });
const FOUR = significant(4);
const WHOLE = decimals(0);

export type Number_ = number | null | undefined;
const known = (value: Number_): value is number => value != null && Number.isFinite(value);

// 1234567 → "1,234,567"
export const whole = (value: Number_) => (known(value) ? WHOLE.format(value) : NO_NUMBER);

// Four significant digits, and a power of ten where plain notation would need many zeros: 0.00031 → "3.1e-4".
export function number(value: Number_): string {
  if (!known(value)) return NO_NUMBER;
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) return value.toExponential(2).replace(/\.?0+e/, "e").replace("e+", "e");
  return FOUR.format(value);
}

export const fixed = (value: Number_, digits: number) => (known(value) ? decimals(digits).format(value) : NO_NUMBER);

// 12345678 → "12.3 M", with the units of counts.
export function count(value: Number_): string {
  if (!known(value)) return NO_NUMBER;
  for (const [unit, size] of [["T", 1e12], ["G", 1e9], ["M", 1e6], ["k", 1e3]] as const) {
    if (Math.abs(value) >= 0.9995 * size) return `${significant(3).format(value / size)} ${unit}`;
  }
  return significant(3).format(value);
}

// 12345678 → "12.3 million".
export function countInWords(value: Number_): string {
  if (!known(value)) return NO_NUMBER;
  return new Intl.NumberFormat("en", { notation: "compact", compactDisplay: "long", maximumSignificantDigits: 3 }).format(
    value,
  );
}

// In decimal units, as the program prints them.
export function bytes(value: Number_): string {
  if (!known(value)) return NO_NUMBER;
  for (const [unit, size] of [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]] as const) {
    if (value >= 0.9995 * size) return `${significant(3).format(value / size)} ${unit}`;
  }
  return `${WHOLE.format(value)} bytes`;
}

// "encoder 3" → "Encoder 3".
export const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

// 0.1234 → "12.3 %". Shares below a tenth of a percent keep two digits.
export function percent(value: Number_, digits = 1): string {
  if (!known(value)) return NO_NUMBER;
  const hundredfold = 100 * value;
  if (hundredfold !== 0 && Math.abs(hundredfold) < 0.1) return `${significant(1).format(hundredfold)} %`;
  return `${decimals(digits).format(hundredfold)} %`;
}

// For the ticks of an axis: 0.02 → "2 %".
export const roundPercent = (value: Number_) => (known(value) ? `${significant(2).format(100 * value)} %` : NO_NUMBER);

// 3725 → "1 h 2 min"
export function duration(seconds: Number_): string {
  if (!known(seconds)) return NO_NUMBER;
  if (seconds < 10) return `${significant(2).format(seconds)} s`;
  const total = Math.round(seconds);
  const parts: [number, string][] = [
    [Math.floor(total / 86400), "d"],
    [Math.floor(total / 3600) % 24, "h"],
    [Math.floor(total / 60) % 60, "min"],
    [total % 60, "s"],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  return parts
    .slice(first, first + 2)
    .filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount} ${unit}`)
    .join(" ");
}

// 4.2 → "4.2×"
export const times = (value: Number_) =>
  known(value) ? `${value >= 100 ? WHOLE.format(value) : significant(2).format(value)}×` : NO_NUMBER;

// "2026-11-22T01:02:03Z" → "22 November 2026, 01:02 UTC"; a text that is no date stays as it is.
export function date(text: string): string {
  const when = new Date(text);
  if (Number.isNaN(when.getTime())) return text;
  const day = new Intl.DateTimeFormat(LOCALE, { dateStyle: "long", timeStyle: "short", timeZone: "UTC" }).format(when);
  return `${day.replace(" at ", ", ")} UTC`;
}

// "a, b and c"
export function list(texts: string[]): string {
  return texts.length < 2 ? texts.join("") : `${texts.slice(0, -1).join(", ")} and ${texts[texts.length - 1]}`;
}

export const plural = (amount: number, one: string, many = `${one}s`) => `${whole(amount)} ${amount === 1 ? one : many}`;

// A token as [text, is it a stand-in?] pieces: what is invisible in it is made visible, and a long run of one character
// is told by its length. SentencePiece's "▁" is a space.
export function visible(token: string): [string, boolean][] {
  const stands: Record<string, string> = { " ": "␣", "▁": "␣", "\n": "↵", "\r": "␍", "\t": "⇥", "\u00a0": "⍽" };
  const pieces: [string, boolean][] = [];
  const add = (text: string, standIn: boolean) => {
    const last = pieces[pieces.length - 1];
    if (last && last[1] === standIn) last[0] += text;
    else pieces.push([text, standIn]);
  };
  for (const [run, character] of token.matchAll(/(.)\1*/gsu)) {
    const stand =
      stands[character] ??
      (/[\p{Cc}\p{Cf}\p{Zs}\p{Zl}\p{Zp}]/u.test(character)
        ? `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`
        : null);
    const length = [...run].length;
    add((stand ?? character).repeat(length > LONGEST_RUN ? 1 : length), stand !== null);
    if (length > LONGEST_RUN) add(`×${length}`, true);
  }
  return pieces;
}
