import { lazyArrayOf } from './lazy-array.ts';
import { asStoreError, type Reading, readSlot } from './reading.ts';

/**
 * Calls `visit(value, row)` with one field of each row, in order, without making the rows: for a large array of
 * records of one shape the bytes are read directly, at a few nanoseconds a row. Any other array works, too, at the
 * cost of its rows. A row that lacks the field counts as `undefined`, and so
 * does one that is `null`.
 *
 * Objects in the column are made anew for each scan, and are not the ones that `rows[i][key]` answers.
 *
 * @throws {StoreError} `SNAPSHOT_RELEASED`
 *
 * @example
 * let total = 0;
 * forEachInColumn(view.items, 'weight', (weight) => { total += weight; });
 */
export function forEachInColumn<Row extends object, Key extends keyof Row & string>(
  rows: readonly Row[],
  key: Key,
  visit: (value: Row[Key], row: number) => void,
): void {
  const lazy = lazyArrayOf(rows);
  if (lazy === undefined || lazy.shape === null) {
    for (const [index, row] of rows.entries())
      visit((row as Row | null | undefined)?.[key] as Row[Key], index);
    return;
  }
  const field = lazy.shape.keys.indexOf(key);
  const { reading, stride, length } = lazy;
  for (let row = 0, slot = lazy.first + field; row < length; row++, slot += stride) {
    // Row by row a touch of its own: `visit` may release the snapshot, or read other parts of it.
    visit((field === -1 ? undefined : readField(reading, slot)) as Row[Key], row);
  }
}

/**
 * One field of each row, as an array of its own. See {@link forEachInColumn}.
 *
 * @example
 * const heaviest = Math.max(...column(view.items, 'weight'));
 */
export function column<Row extends object, Key extends keyof Row & string>(
  rows: readonly Row[],
  key: Key,
): Row[Key][] {
  const values = new Array<Row[Key]>(rows.length);
  forEachInColumn(rows, key, (value, row) => {
    values[row] = value;
  });
  return values;
}

function readField(reading: Reading, slot: number): unknown {
  reading.touch();
  reading.scans = 1;
  try {
    return readSlot(reading, slot);
  } catch (error) {
    throw asStoreError(error);
  }
}
