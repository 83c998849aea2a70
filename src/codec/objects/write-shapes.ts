import { canGenerateCode, generate } from './code-generation.ts';
import {
  BEYOND_LATIN1,
  INT32,
  LAZY_FIELD_BYTES,
  MAX_SHAPE_KEY_LENGTH,
  MAX_SHAPE_KEYS,
  MAX_SHAPES,
  SHAPE_LAZY,
  SHAPE_NULL_PROTOTYPE,
  SHAPE_UTF16,
} from './layout.ts';
import type { Room } from './room.ts';
import type { TextWriter } from './text-writer.ts';

/** The fields of an object, by key. */
export type Fields = Record<string, unknown>;

/** Writes an object's fields into the slots from `slot` on; returns about how many bytes they take. */
type FieldsWriter = (fields: Fields, slot: number) => number;

/** What the writers of shapes write with. */
export interface FieldSink {
  readonly room: Room;
  readonly text: TextWriter;
  /** Writes what is neither a number nor short text. */
  writeField(shape: WriteShape, field: number, value: unknown, slot: number): number;
}

/** A shape that was written this often is worth generated code. */
const USES_BEFORE_CODE = 16;

/** Shapes and nodes of their tree that are kept from payload to payload; beyond that all are forgotten. */
const MAX_KEPT_SHAPES = 8_192;
const MAX_KEPT_NODES = 131_072;

/** The keys of objects that look alike, and how to write such an object. */
export class WriteShape {
  readonly keys: readonly string[];
  readonly nullPrototype: boolean;
  /** It has a key `toJSON`, which may be a function. */
  readonly mayTransform: boolean;
  /** The shape that the object in each field had last: mostly the next one's, too. */
  readonly hints: (WriteShape | null)[];
  /** Whether a field ever held more than is decoded in passing. Stays, so that readers keep their code for it. */
  readonly lazy: Uint8Array;
  /** Its number in the payload that {@link payload} counts. */
  number = 0;
  payload = 0;
  write: FieldsWriter;
  private tableRecord: Uint8Array | null = null;
  private prepared = false;
  private readonly sink: FieldSink;

  constructor(keys: readonly string[], nullPrototype: boolean, sink: FieldSink) {
    this.keys = keys;
    this.nullPrototype = nullPrototype;
    this.mayTransform = keys.includes('toJSON');
    this.hints = keys.map(() => null);
    this.lazy = new Uint8Array(keys.length);
    this.sink = sink;
    const write = closureWriter(this, sink);
    let uses = 0;
    this.write = canGenerateCode
      ? (fields, slot) => {
          if (++uses === USES_BEFORE_CODE) this.prepare();
          return write(fields, slot);
        }
      : write;
  }

  /** Generates the code now, because many objects of this shape are to come. */
  prepare(): void {
    if (this.prepared || !canGenerateCode) return;
    this.prepared = true;
    this.write = generatedWriter(this, this.sink);
  }

  markLazy(field: number): void {
    this.lazy[field] = 1;
    this.tableRecord = null;
  }

  /** This shape as the shape table holds it. */
  tableBytes(): Uint8Array {
    this.tableRecord ??= encodeShape(this);
    return this.tableRecord;
  }
}

function closureWriter(shape: WriteShape, sink: FieldSink): FieldsWriter {
  const { keys } = shape;
  const { room, text } = sink;
  return (fields, slot) => {
    let size = keys.length * 8;
    for (let field = 0; field < keys.length; field++) {
      const value = fields[keys[field] as string];
      if (typeof value === 'number') room.putNumber(value, slot + field);
      else if (typeof value === 'string' && value.length <= LAZY_FIELD_BYTES)
        size += text.put(value, slot + field);
      else size += sink.writeField(shape, field, value, slot + field);
    }
    return size;
  };
}

/** The loop of {@link closureWriter} unrolled, so that each field is read through an inline cache of its own. */
function generatedWriter(shape: WriteShape, sink: FieldSink): FieldsWriter {
  const lines = shape.keys.map((key, field) => {
    const slot = field === 0 ? 'slot' : `slot + ${field}`;
    return `
      v = fields[${JSON.stringify(key)}];
      if (typeof v === 'number') {
        n = v | 0;
        if (n === v && (n !== 0 || 1 / v > 0)) {
          u32 = room.u32; u32[2 * (${slot})] = n; u32[2 * (${slot}) + 1] = ${INT32};
        } else room.f64[${slot}] = v === v ? v : NaN;
      } else if (typeof v === 'string' && v.length <= ${LAZY_FIELD_BYTES}) size += text.put(v, ${slot});
      else size += sink.writeField(shape, ${field}, v, ${slot});`;
  });
  return generate<FieldsWriter>(
    { shape, sink, room: sink.room, text: sink.text },
    `return (fields, slot) => { let v, n, u32, size = ${shape.keys.length * 8}; ${lines.join('')} return size; };`,
  );
}

/**
 * A record of the shape table: number of keys, flags, the length of each key in UTF-16 units, one lazy bit a key
 * if there is any, the keys' text, zeros up to a multiple of 4.
 */
function encodeShape(shape: WriteShape): Uint8Array {
  const { keys, lazy } = shape;
  const text = keys.join('');
  const wide = BEYOND_LATIN1.test(text);
  const anyLazy = lazy.includes(1);
  const lazyBytes = anyLazy ? Math.ceil(keys.length / 8) : 0;
  // UTF-16 begins at an even offset.
  const textStart = wide ? (2 + keys.length + lazyBytes + 1) & ~1 : 2 + keys.length + lazyBytes;
  const bytes = Buffer.alloc((textStart + text.length * (wide ? 2 : 1) + 3) & ~3);
  bytes[0] = keys.length;
  bytes[1] =
    (shape.nullPrototype ? SHAPE_NULL_PROTOTYPE : 0) | (wide ? SHAPE_UTF16 : 0) | (anyLazy ? SHAPE_LAZY : 0);
  for (let field = 0; field < keys.length; field++) {
    bytes[2 + field] = (keys[field] as string).length;
    const lazyByte = 2 + keys.length + (field >> 3);
    if (lazy[field] === 1) bytes[lazyByte] = (bytes[lazyByte] as number) | (1 << (field & 7));
  }
  bytes.write(text, textStart, wide ? 'utf16le' : 'latin1');
  return bytes;
}

/** A node of the tree of keys: the keys on the way to it are those of {@link shape}. */
class KeyNode {
  readonly next = new Map<string, KeyNode>();
  shape: WriteShape | null = null;
}

/** The shapes a writer knows, and which of them the current payload uses. */
export class WriteShapes {
  private readonly sink: FieldSink;
  private plain = new KeyNode();
  private nullPrototype = new KeyNode();
  private known = 0;
  private nodes = 0;
  private payload = 0;
  private used: WriteShape[] = [];
  private tableOf: WriteShape[] = [];
  private table: Uint8Array | null = null;
  private refused: object | null = null;
  private refusedKeys: readonly string[] = [];

  constructor(sink: FieldSink) {
    this.sink = sink;
  }

  begin(): void {
    this.payload++;
    this.used = [];
    this.refused = null;
    this.refusedKeys = [];
    if (this.known > MAX_KEPT_SHAPES || this.nodes > MAX_KEPT_NODES) {
      this.plain = new KeyNode();
      this.nullPrototype = new KeyNode();
      this.known = 0;
      this.nodes = 0;
      this.tableOf = [];
      this.table = null;
    }
  }

  /** Notes that a field is to be decoded on its own. */
  markLazy(shape: WriteShape, field: number): void {
    if (shape.lazy[field] === 1) return;
    shape.markLazy(field);
    this.table = null;
  }

  /** The shape of a plain object, or `null` if it is to be a dictionary. */
  of(object: object, hint: WriteShape | null): WriteShape | null {
    if (hint !== null && hasKeys(object, hint.keys)) {
      return hint.payload === this.payload ? hint : this.enlist(hint);
    }
    return this.find(object, false);
  }

  /** As {@link of}, for any prototype and without a hint. */
  find(object: object, nullPrototype: boolean): WriteShape | null {
    let node: KeyNode | undefined = nullPrototype ? this.nullPrototype : this.plain;
    let count = 0;
    for (const key in object) {
      if (++count > MAX_SHAPE_KEYS) return null;
      node = node.next.get(key);
      if (node === undefined) return this.learn(object, nullPrototype);
    }
    const { shape } = node;
    if (shape === null) return this.learn(object, nullPrototype);
    return shape.payload === this.payload ? shape : this.enlist(shape);
  }

  /** The keys of an object that is to be a dictionary: mostly they are known from the attempt to find its shape. */
  keysOf(object: object): readonly string[] {
    const keys = this.refused === object ? this.refusedKeys : Object.keys(object);
    this.refused = null;
    return keys;
  }

  get usedCount(): number {
    return this.used.length;
  }

  /** The table of the shapes that the payload uses. Position-independent; the same array while nothing changes. */
  tableBytes(): Uint8Array {
    const { used, tableOf } = this;
    let same = this.table !== null && used.length === tableOf.length;
    for (let i = 0; same && i < used.length; i++) same = used[i] === tableOf[i];
    if (!same) {
      this.table = joinTable(used);
      this.tableOf = used;
    }
    return this.table as Uint8Array;
  }

  private enlist(shape: WriteShape): WriteShape | null {
    if (this.used.length === MAX_SHAPES) return null;
    shape.payload = this.payload;
    shape.number = this.used.length;
    this.used.push(shape);
    return shape;
  }

  private learn(object: object, nullPrototype: boolean): WriteShape | null {
    const keys = Object.keys(object);
    this.refused = object;
    this.refusedKeys = keys;
    if (keys.length > MAX_SHAPE_KEYS || this.used.length === MAX_SHAPES || this.nodes > MAX_KEPT_NODES)
      return null;
    // Something enumerable was put on the prototype: `for...in` shows it, and it is not the object's own.
    if (!hasKeys(object, keys)) return null;
    if (keys.some((key) => key.length > MAX_SHAPE_KEY_LENGTH)) return null;
    let node = nullPrototype ? this.nullPrototype : this.plain;
    for (const key of keys) {
      let next = node.next.get(key);
      if (next === undefined) {
        next = new KeyNode();
        node.next.set(key, next);
        this.nodes++;
      }
      node = next;
    }
    node.shape = new WriteShape(keys, nullPrototype, this.sink);
    this.known++;
    return this.enlist(node.shape);
  }
}

/** Whether the enumerable keys of `object`, in their order, are `keys`. */
export function hasKeys(object: object, keys: readonly string[]): boolean {
  let index = 0;
  for (const key in object) {
    if (key !== keys[index]) return false;
    index++;
  }
  return index === keys.length;
}

/** The offset of each record from the table's start, then the records; a multiple of 8 bytes. */
function joinTable(shapes: readonly WriteShape[]): Uint8Array {
  const records = shapes.map((shape) => shape.tableBytes());
  const byteLength = records.reduce((sum, record) => sum + record.length, shapes.length * 4);
  const table = new Uint8Array((byteLength + 7) & ~7);
  const offsets = new Uint32Array(table.buffer, 0, shapes.length);
  let offset = shapes.length * 4;
  for (const [index, record] of records.entries()) {
    offsets[index] = offset;
    table.set(record, offset);
    offset += record.length;
  }
  return table;
}
