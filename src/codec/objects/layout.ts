/**
 * Every number of the byte layout and every limit and threshold of this codec, in one place. docs/format-objects.md
 * explains them byte by byte; what is here and what is there must agree.
 *
 * A payload is a row of 8-byte words, little-endian. A *slot* is a word that holds one value: a double as itself,
 * anything else as a NaN whose upper 16 bits are a tag.
 */

/** First word of a payload, low half: `OBJ1` as Latin-1. Another layout gets another number. */
export const MAGIC = 0x314a_424f;

/** Words before the first free one: magic and word count, shape table, root slot. */
export const HEADER_WORDS = 3;
export const SHAPE_TABLE_WORD = 1;
export const ROOT_SLOT = 2;

/** Upper halves of slots. Everything below `INT32` is a double. */
export const INT32 = 0xfff9_0000;
export const CONSTANT = 0xfffa_0000;

/** Upper 16 bits of slots whose next 16 bits (the *aux*) say more. */
export const TAG_INT32 = 0xfff9;
export const TAG_CONSTANT = 0xfffa;
/** Latin-1 text: aux is its length in bytes, the low half its offset in bytes. */
export const TAG_TEXT = 0xfffb;
/** Text with its own length: aux is 0 for Latin-1, 1 for UTF-16, the low half a word. */
export const TAG_LONG_TEXT = 0xfffc;
/** Object with a shape: aux is the shape's number and {@link LARGE}, the low half the word of its first field. */
export const TAG_OBJECT = 0xfffd;
/** Anything else: aux is a kind and {@link LARGE}, the low half the word of its head. */
export const TAG_HEAP = 0xfffe;

/** Low halves of constants. */
export const UNDEFINED = 0;
export const NULL = 1;
export const FALSE = 2;
export const TRUE = 3;
/** A missing element of an array; nowhere else. */
export const HOLE = 4;

/** Bit of the aux of objects and heap values: too large to be decoded in passing. */
export const LARGE = 0x8000;

/** Kinds of heap values. */
export const KIND_ARRAY = 1;
export const KIND_RECORDS = 2;
export const KIND_INT32S = 3;
export const KIND_DOUBLES = 4;
export const KIND_DICTIONARY = 5;
export const KIND_MAP = 6;
export const KIND_SET = 7;
export const KIND_DATE = 8;
export const KIND_BIGINT = 9;
export const KIND_BINARY = 10;
export const KIND_REGEXP = 11;
export const KIND_ERROR = 12;

/** Flags in the head of a dictionary: its prototype is null; the bits above hold log2 of the index's length. */
export const DICTIONARY_NULL_PROTOTYPE = 1;
export const DICTIONARY_INDEX_SHIFT = 8;

/** Flags of a record of the shape table. */
export const SHAPE_NULL_PROTOTYPE = 1;
export const SHAPE_UTF16 = 2;
export const SHAPE_LAZY = 4;

/**
 * The largest payload: slots address words and bytes with 32 bits, and an external ArrayBuffer ends at 4 GiB on
 * Node 20; the last 64 KiB are left to the region's own header.
 */
export const MAX_BYTE_LENGTH: number = 2 ** 32 - 65_536;

/** How deep values may nest. Keeps encoder, decoder and their callers far from the end of the stack: half of it, at 512. */
export const MAX_DEPTH = 256;

/** Objects with more keys, or with a key longer than the shape table can say, are dictionaries. */
export const MAX_SHAPE_KEYS = 64;
export const MAX_SHAPE_KEY_LENGTH = 255;

/** Shapes in one payload; the objects of further shapes are dictionaries. */
export const MAX_SHAPES = 4_096;

/** What Latin-1 cannot hold. */
export const BEYOND_LATIN1: RegExp = /[\u0100-\uffff]/;

/** Longer texts do not go through the shared text blocks. */
export const MAX_BLOCK_TEXT = 4_096;

/** A field whose subtree took more bytes than this is decoded when it is first read (bench/codec-decode.ts). */
export const LAZY_FIELD_BYTES = 512;

/** Arrays and dictionaries that took more bytes than this stay in the bytes behind a proxy. */
export const LAZY_COLLECTION_BYTES = 65_536;

/** Rows of a lazy array are decoded and kept by pages of this many (a power of two). */
export const PAGE_ROWS = 64;
export const PAGE_SHIFT = 6;

/** A lazy array keeps at most this many decoded rows on the heap. */
export const MAX_KEPT_ROWS = 32_768;

/** An index is dropped when a key lies further than this from its place: hostile keys must not slow us down. */
export const MAX_PROBES = 64;

/**
 * FNV-1a over the UTF-16 code units of a key, for the index of dictionaries. Part of the format.
 */
export function hashKey(key: string): number {
  let hash = 0x811c_9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x0100_0193);
  return (hash ^ (hash >>> 15)) >>> 0;
}
