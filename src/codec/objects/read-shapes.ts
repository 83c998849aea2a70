import { canGenerateCode, generate, literalName } from './code-generation.ts';
import { INT32, SHAPE_LAZY, SHAPE_NULL_PROTOTYPE, SHAPE_UTF16, TAG_TEXT } from './layout.ts';
import { type LazyField, lazyFieldsByClosure, lazyFieldsByCode } from './lazy-fields.ts';
import { type Hydrator, invalid, type Reading, readSlot, readTagged } from './reading.ts';

/** A shape that was hydrated this often is worth generated code. */
const USES_BEFORE_CODE = 8;

/** While there are fewer generated shapes than this, those with lazy fields get their code at once. */
const EAGER_SHAPES = 256;
let generatedShapes = 0;

type Hydrate = (reading: Reading, first: number) => object;

/**
 * How objects of one shape are made. The same for every snapshot and store that has the shape, so that objects of
 * successive versions share their hidden class and code that was optimised for one stays optimised for the next.
 */
class ReadShape implements Hydrator {
  readonly stride: number;
  readonly keys: readonly string[];
  readonly lazy: readonly boolean[];
  readonly nullPrototype: boolean;
  hydrate: Hydrate;
  /** See {@link keepSample}. */
  sample: object | null = null;

  constructor(keys: readonly string[], lazy: readonly boolean[], nullPrototype: boolean) {
    this.stride = keys.length;
    this.keys = keys;
    this.lazy = lazy;
    this.nullPrototype = nullPrototype;
    this.hydrate = this.firstHydrate();
  }

  /**
   * Keeps one object of this shape alive. Without any, a full collection would throw the hidden class away and with it
   * the code that was optimised for it: the next scan would take seven times as long. An object that holds others is
   * not kept, since it may hold on to its version.
   */
  keepSample(object: object): void {
    for (const key of this.keys) {
      const value = (object as Record<string, unknown>)[key];
      if (typeof value === 'object' && value !== null) return;
    }
    this.sample = object;
  }

  private firstHydrate(): Hydrate {
    if (!canGenerateCode) return closureHydrate(this);
    let usesLeft = this.lazy.includes(true) && generatedShapes < EAGER_SHAPES ? 1 : USES_BEFORE_CODE;
    let byClosure: Hydrate | null = null;
    return (reading, first) => {
      if (--usesLeft <= 0) {
        generatedShapes++;
        this.hydrate = generatedHydrate(this);
        return this.hydrate(reading, first);
      }
      byClosure ??= closureHydrate(this);
      return byClosure(reading, first);
    };
  }
}

/** The checks that every hydration begins with. One bound an object covers all its fields. */
function enter(reading: Reading, first: number, stride: number): void {
  if (first + stride > reading.words) invalid('an object outside of it');
  reading.spend(stride);
}

function closureHydrate(shape: ReadShape): Hydrate {
  const { keys, lazy, stride, nullPrototype } = shape;
  const fields = lazy.includes(true) ? lazyFieldsByClosure(keys, lazy) : null;
  return (reading, first) => {
    enter(reading, first, stride);
    const object = (nullPrototype ? Object.create(null) : {}) as Record<string, unknown>;
    for (let field = 0; field < stride; field++) {
      const key = keys[field] as string;
      if (fields !== null && lazy[field] === true) {
        fields.define(object, field);
        continue;
      }
      const value = readSlot(reading, first + field);
      if (key in object) {
        Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
      } else {
        object[key] = value;
      }
    }
    fields?.finish(object, reading, first);
    return reading.freeze ? Object.freeze(object) : object;
  };
}

/** The loop of {@link closureHydrate} unrolled into one object literal, whose hidden class is ready-made. */
function generatedHydrate(shape: ReadShape): Hydrate {
  const { keys, lazy, stride, nullPrototype } = shape;
  const anyLazy = lazy.includes(true);
  const read = (field: number): string => {
    const slot = field === 0 ? 'first' : `first + ${field}`;
    return `
      high = u32[2 * (${slot}) + 1];
      const v${field} = high < ${INT32} ? f64[${slot}]
        : high === ${INT32} ? i32[2 * (${slot})]
        : high >>> 16 === ${TAG_TEXT} ? reading.text(u32[2 * (${slot})], high & 65535)
        : readTagged(reading, ${slot}, high);`;
  };
  const reads = keys.map((_, field) => (lazy[field] === true ? '' : read(field)));
  const prototype = nullPrototype ? '__proto__: null, ' : '';
  // Members keep their order: from the first lazy one on they are added one by one.
  const leading = anyLazy ? lazy.indexOf(true) : stride;
  const members = keys.slice(0, leading).map((key, field) => `${literalName(key)}: v${field}`);
  const additions = keys
    .slice(leading)
    .map((key, index) => {
      const field = leading + index;
      return lazy[field] === true ? `fields.define(object, ${field});` : addition(key, field);
    })
    .join('\n');
  const body = `
    return (reading, first) => {
      const { u32, f64, i32 } = reading;
      let high;
      enter(reading, first, ${stride});
      ${reads.join('')}
      const object = { ${prototype}${members.join(', ')} };
      ${additions}
      ${anyLazy ? 'fields.finish(object, reading, first);' : ''}
      return reading.freeze ? freeze(object) : object;
    };`;
  const fields: LazyField | null = anyLazy ? lazyFieldsByCode(keys, lazy) : null;
  return generate<Hydrate>({ enter, readTagged, fields, freeze: Object.freeze, own: defineOwn }, body);
}

/** An assignment, unless something on the prototype would get in its way. */
function addition(key: string, field: number): string {
  const name = JSON.stringify(key);
  return key in Object.prototype ? `own(object, ${name}, v${field});` : `object[${name}] = v${field};`;
}

function defineOwn(object: object, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
}

/**
 * Shapes by the bytes of their record. Two generations bound it: when the younger is full the older one is
 * forgotten, and what is still in use moves over.
 */
class ShapeCache {
  private young = new Map<string, ReadShape>();
  private old = new Map<string, ReadShape>();

  get(record: string, make: () => ReadShape): ReadShape {
    let shape = this.young.get(record);
    if (shape !== undefined) return shape;
    shape = this.old.get(record) ?? make();
    if (this.young.size >= GENERATION_SHAPES) {
      this.old = this.young;
      this.young = new Map();
    }
    this.young.set(record, shape);
    return shape;
  }
}

/** As many as one payload can have. */
const GENERATION_SHAPES = 4_096;
const shapeCache = new ShapeCache();

/** Reads record `number` of the shape table. */
export function lookUpShape(reading: Reading, number: number): Hydrator {
  const { bytes, u32, byteLength } = reading;
  if (number >= reading.shapeCount) invalid('a shape that is not in its table');
  const tableStart = reading.shapeTable * 8;
  const start = tableStart + (u32[2 * reading.shapeTable + number] as number);
  if (start + 2 > byteLength) invalid('a shape outside of it');
  const count = bytes[start] as number;
  const flags = bytes[start + 1] as number;
  const lazyBytes = (flags & SHAPE_LAZY) === 0 ? 0 : Math.ceil(count / 8);
  const wide = (flags & SHAPE_UTF16) !== 0;
  let textStart = 2 + count + lazyBytes;
  if (start + textStart > byteLength) invalid('a shape outside of it');
  if (wide) textStart = (textStart + 1) & ~1;
  let length = 0;
  for (let field = 0; field < count; field++) length += bytes[start + 2 + field] as number;
  const end = start + textStart + (wide ? 2 * length : length);
  if (end > byteLength) invalid('a shape outside of it');
  const record = bytes.latin1Slice(start, end);
  const shape = shapeCache.get(record, () => parseShape(reading, start, textStart, count, flags));
  reading.shapes[number] = shape;
  return shape;
}

function parseShape(
  reading: Reading,
  start: number,
  textStart: number,
  count: number,
  flags: number,
): ReadShape {
  const { bytes } = reading;
  const keys: string[] = [];
  const lazy: boolean[] = [];
  const unit = (flags & SHAPE_UTF16) === 0 ? 1 : 2;
  let offset = start + textStart;
  for (let field = 0; field < count; field++) {
    const end = offset + (bytes[start + 2 + field] as number) * unit;
    keys.push(unit === 1 ? bytes.latin1Slice(offset, end) : bytes.ucs2Slice(offset, end));
    offset = end;
    const bits = (flags & SHAPE_LAZY) === 0 ? 0 : (bytes[start + 2 + count + (field >> 3)] as number);
    lazy.push((bits & (1 << (field & 7))) !== 0);
  }
  if (new Set(keys).size !== count) invalid('a shape with a key twice');
  return new ReadShape(keys, lazy, (flags & SHAPE_NULL_PROTOTYPE) !== 0);
}

/**
 * The shapes of the table that was read last, by its very bytes: while a publisher's shapes stay the same, a new
 * version finds its hydrators with one comparison. Belongs to one reader.
 */
export class ShapeTables {
  private table: Buffer | null = null;
  private shapes: (Hydrator | undefined)[] = [];

  of(reading: Reading): (Hydrator | undefined)[] {
    const { bytes, byteLength } = reading;
    const start = reading.shapeTable * 8;
    const { table } = this;
    if (
      table !== null &&
      table.length === byteLength - start &&
      bytes.compare(table, 0, table.length, start, byteLength) === 0
    ) {
      return this.shapes;
    }
    this.table = Buffer.from(bytes.subarray(start, byteLength));
    this.shapes = new Array<Hydrator | undefined>(Math.min(reading.shapeCount, reading.words)).fill(
      undefined,
    );
    return this.shapes;
  }
}
