/** What publish `number` is long: 1 byte to 1 MiB, mostly little, jumping up and down; both ends occur. */
export function sizeOf(number: number): number {
  const mixed = Math.imul(number, 0x9e3779b1) >>> 0;
  if (number % 4096 === 0) return 2 ** 20;
  if (number % 128 === 0) return 1 + (mixed % 2 ** 20);
  if (number % 8 === 0) return 1 + (mixed % 2 ** 16);
  if (number % 3 === 0) return 1;
  return 1 + (mixed % 2 ** 11);
}
