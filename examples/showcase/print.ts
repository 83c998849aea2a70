import Table from 'cli-table3';

export const say = (text = ''): void => console.log(text);

export function title(text: string): void {
  say();
  say(text);
  say('='.repeat(text.length));
}

/** A table whose first column is text and whose other columns are figures. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const printed = new Table({
    head: [...head],
    colAligns: head.map((_, column) => (column === 0 ? 'left' : 'right')),
    style: { head: [], border: [], compact: true },
  });
  printed.push(...rows.map((row) => [...row]));
  say(printed.toString());
}

export const count = (value: number): string => value.toLocaleString('en-US');

/** Three digits that mean something, with the unit that fits. */
export function time(ms: number): string {
  const ns = Math.abs(ms) * 1e6;
  if (ns < 1e3) return `${digits(ms * 1e6)} ns`;
  if (ns < 1e6) return `${digits(ms * 1e3)} µs`;
  if (ns < 1e9) return `${digits(ms)} ms`;
  return `${digits(ms / 1e3)} s`;
}

export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

/** How `value` compares with `other`, in words that fit the figures. */
export function comparison(value: number, other: number, [less, more]: readonly [string, string]): string {
  const ratio = other / value;
  if (ratio >= 1.1) return `${digits(ratio)} times ${less}`;
  if (ratio <= 1 / 1.1) return `${digits(1 / ratio)} times ${more}`;
  return 'about the same';
}

function digits(value: number): string {
  const size = Math.abs(value);
  if (size >= 1000) return count(Math.round(value));
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}
