// Every byte of a store's files that more than one process reads, in one place. docs/format.md says the same
// for people; test/format.test.ts compares both with a real store.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace vitrine {

// Words are shared between processes as they lie in memory.
static_assert(std::endian::native == std::endian::little, "vitrine's files are little-endian");

inline constexpr std::uint32_t kFormatVersion = 1;
inline constexpr std::uint32_t kByteOrderMark = 0x01020304;
inline constexpr std::uint64_t kStateMagic = 0x3145544154535456;   // "VTSTATE1"
inline constexpr std::uint64_t kRegionMagic = 0x314e4f4947455256;  // "VREGION1"

// The version word keeps 4 bits for slot + 1; 0 and 15 mean "nothing published" and "destroyed".
inline constexpr unsigned kSlotLimit = 14;

// A cache line a word: readers poll `sequence` while the writer looks at slot words.
inline constexpr std::size_t kCacheLine = 64;

struct alignas(kCacheLine) SharedWord {
  std::uint64_t value;
};

// <prefix>_state, mapped MAP_SHARED by everybody.
struct StateRegion {
  // Identity: written once, before the file has its name.
  std::uint64_t magic;
  std::uint32_t formatVersion;
  std::uint32_t byteOrderMark;
  std::uint64_t storeId;
  std::uint64_t createdAtUs;
  std::uint32_t reuse;  // 1: readers pin; 0: every publish replaces and readers need no write permission
  std::uint8_t identityReserved[28];

  // The handshake (handshake.hpp); nothing else touches these words.
  SharedWord version;
  SharedWord sequence;
  SharedWord waiters;
  std::array<SharedWord, kSlotLimit> slots;

  // Writer block: written by the holder of the writer's lock only.
  alignas(kCacheLine) std::uint64_t bootId;  // which boot of the machine wrote last: see docs/protocol.md
  std::uint64_t epoch;                       // +1 per writer that opened the store
  std::uint64_t publishNumber;               // the number published last
  std::uint64_t publishedAtUs;
  std::uint32_t pid;  // advice for people: the lock decides
  std::uint8_t writerReserved[28];

  std::uint8_t reserved[2880];
};

inline constexpr std::size_t kStateByteLength = 4096;
static_assert(sizeof(StateRegion) == kStateByteLength);
static_assert(offsetof(StateRegion, version) == 64);
static_assert(offsetof(StateRegion, sequence) == 128);
static_assert(offsetof(StateRegion, waiters) == 192);
static_assert(offsetof(StateRegion, slots) == 256);
static_assert(offsetof(StateRegion, bootId) == 1152);
static_assert(offsetof(StateRegion, pid) == 1184);

inline constexpr std::size_t kCodecIdByteLength = 16;

// The first bytes of <prefix>_data_<slot>; the payload follows.
struct RegionHeader {
  std::uint64_t magic;
  std::uint64_t storeId;
  std::uint32_t slot;
  std::uint32_t flags;  // kFlagPayloadHashed
  std::uint64_t incarnation;
  std::uint64_t publishNumber;  // 0 while the payload is being written; stored last
  std::uint64_t publishedAtUs;
  std::uint64_t payloadByteLength;
  std::uint64_t checksum;  // XXH3-64 over this header, in which this field holds the payload's XXH3-64 or 0
  std::uint64_t schemaHash;
  char codecId[kCodecIdByteLength];  // ASCII, padded with zeros
  std::uint8_t reserved[40];
};

inline constexpr std::uint32_t kFlagPayloadHashed = 1;
inline constexpr std::size_t kHeaderByteLength = 128;
static_assert(sizeof(RegionHeader) == kHeaderByteLength);
static_assert(kHeaderByteLength % kCacheLine == 0, "the payload is 64-byte aligned");
static_assert(offsetof(RegionHeader, publishNumber) == 32);
static_assert(offsetof(RegionHeader, checksum) == 56);
static_assert(offsetof(RegionHeader, codecId) == 72);

// An external ArrayBuffer ends at 4 GiB on Node 20; a region's file keeps below that together with its header.
inline constexpr std::uint64_t kPayloadByteLimit = (std::uint64_t{1} << 32) - 4096;
inline constexpr std::uint64_t kRegionByteLimit = kHeaderByteLength + kPayloadByteLimit;

}  // namespace vitrine
