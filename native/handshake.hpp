// The handshake between one writer and its readers: who may touch which bytes when. Atomic operations only, no
// Node-API and no system call, so that the addon, a ThreadSanitizer program and an interleaving explorer compile
// the same lines. Labels (R1, W2, ...) are shared with docs/protocol.md and test/model/handshake.pml.
//
// All operations are sequentially consistent. The argument needs it in one place: a reader's increment (R4) and
// its second look at the version (R5) against the writer's version store (W3) and its later look at the count
// (W1) are a Dekker pair, store-then-load on both sides.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "layout.hpp"

namespace vitrine {

enum class Label { D1, R1, R2, R3, R4, R5, R6, T1, U1, U2, W1, W2, W3, W4, W5, W6, W7, W8 };

// What a slot word says: which region the slot leads to, and how many readers are counted in on it.
// The incarnation has 40 bits: 32 would wrap in twelve hours of flat-out replacement.
class SlotWord {
 public:
  static constexpr unsigned kCountBits = 24;
  static constexpr std::uint64_t kCountMask = (std::uint64_t{1} << kCountBits) - 1;

  constexpr explicit SlotWord(std::uint64_t raw) : raw_(raw) {}
  constexpr SlotWord(std::uint64_t incarnation, std::uint64_t count)
      : raw_((incarnation << kCountBits) | (count & kCountMask)) {}

  constexpr std::uint64_t raw() const { return raw_; }
  constexpr std::uint64_t incarnation() const { return raw_ >> kCountBits; }
  constexpr std::uint64_t count() const { return raw_ & kCountMask; }

 private:
  std::uint64_t raw_;
};

// What the version word says: slot + 1 (4 bits), payload size (33 bits), the checksum's low 27 bits.
class VersionWord {
 public:
  constexpr explicit VersionWord(std::uint64_t raw) : raw_(raw) {}
  constexpr VersionWord(unsigned slot, std::uint64_t payloadByteLength, std::uint64_t checksum)
      : raw_((std::uint64_t{slot + 1} << 60) | (payloadByteLength << 27) | (checksum & kChecksumMask)) {}

  static constexpr VersionWord nothing() { return VersionWord(0); }
  static constexpr VersionWord tombstone() { return VersionWord(~std::uint64_t{0}); }

  constexpr std::uint64_t raw() const { return raw_; }
  constexpr bool isNothing() const { return raw_ == 0; }
  constexpr bool isTombstone() const { return raw_ == ~std::uint64_t{0}; }
  // Below kSlotLimit in a word that a writer stored; anything at all in one that rubbish was written over.
  constexpr unsigned slot() const { return static_cast<unsigned>(raw_ >> 60) - 1; }
  constexpr std::uint64_t payloadByteLength() const { return (raw_ >> 27) & ((std::uint64_t{1} << 33) - 1); }
  constexpr bool agreesWith(const RegionHeader& header) const {
    return payloadByteLength() == header.payloadByteLength && (raw_ & kChecksumMask) == (header.checksum & kChecksumMask);
  }
  constexpr bool operator==(const VersionWord&) const = default;

 private:
  static constexpr std::uint64_t kChecksumMask = (std::uint64_t{1} << 27) - 1;
  std::uint64_t raw_;
};

// How the addon performs a labelled access. An explorer brings its own policy and looks at the labels.
struct ProcessAtomics {
  using Word = std::atomic_ref<std::uint64_t>;
  static_assert(Word::is_always_lock_free, "a lock inside a process would not exclude other processes");

  template <Label>
  static std::uint64_t load(const std::uint64_t& word) {
    // SAFETY: atomic_ref takes no const object before C++26; load() does not write, so a read-only mapping serves.
    return Word(const_cast<std::uint64_t&>(word)).load(std::memory_order_seq_cst);
  }
  template <Label>
  static void store(std::uint64_t& word, std::uint64_t value) {
    Word(word).store(value, std::memory_order_seq_cst);
  }
  template <Label>
  static std::uint64_t fetchAdd(std::uint64_t& word, std::uint64_t value) {
    return Word(word).fetch_add(value, std::memory_order_seq_cst);
  }
  template <Label>
  static std::uint64_t exchange(std::uint64_t& word, std::uint64_t value) {
    return Word(word).exchange(value, std::memory_order_seq_cst);
  }
  template <Label>
  static bool compareExchange(std::uint64_t& word, std::uint64_t& expected, std::uint64_t value) {
    return Word(word).compare_exchange_strong(expected, value, std::memory_order_seq_cst);
  }
};

// What a reader's attempt to adopt came to.
enum class Adopt {
  adopted,        // pinned (unless the store is reuse:false); the region may be read
  nothing,        // nothing has been published
  destroyed,      // tombstone: this store will never publish again
  regionInvalid,  // the same version twice led to no region, or to one that is not its own
  stateInvalid,   // the version word cannot have been written by a writer
  contended,      // a publish fell into every one of the tries
};

struct Adoption {
  Adopt outcome;
  std::uint64_t sequence;  // what the fast path compares with from now on
  VersionWord version = VersionWord::nothing();
  std::uint64_t incarnation = 0;  // what unpin() wants to see
};

template <class Atomics>
class Handshake {
 public:
  // `reuse` as the state region's identity said when it was opened. Fixed for the life of a store id: a successor
  // that began to rewrite would tear readers that do not pin.
  Handshake(StateRegion& state, bool reuse) : state_(state), reuse_(reuse) {}

  // ---- the writer's side: one caller at a time, the holder of the writer's lock -------------------------------

  // T1. What a writer that takes over believes; it treats every slot but the active one as suspect.
  VersionWord version() const { return VersionWord(Atomics::template load<Label::T1>(state_.version.value)); }

  SlotWord slotWord(unsigned slot) const {
    return SlotWord(Atomics::template load<Label::W1>(state_.slots[slot].value));
  }

  // W1. May the region of this slot, which is not the active one, be rewritten in place?
  //
  // Count 0 after the slot was left is final until the slot is active again: a reader that counts itself in
  // later finds at R5 that the version has moved and counts itself out without having read. One that had
  // passed R5 before had incremented (R4) before the version store (W3) that left the slot, so we see it here.
  bool mayRewrite(unsigned slot, std::uint64_t incarnation) const {
    return slotWord(slot).raw() == SlotWord(incarnation, 0).raw();
  }

  // The incarnation of a region that is to replace what the slot leads to. Taking the maximum matters after a
  // crash between rename and W2: the file at the path is then one ahead of the slot word, and a reader may have
  // mapped it; its number must not come twice.
  std::uint64_t nextIncarnation(unsigned slot, std::uint64_t incarnationAtPath) const {
    const std::uint64_t known = slotWord(slot).incarnation();
    return (known > incarnationAtPath ? known : incarnationAtPath) + 1;
  }

  // W2. The slot leads to a new region from now on. Counts of its former region are void: whoever holds it
  // keeps his mapping of a file without a name, and unpin() compares incarnations.
  void install(unsigned slot, std::uint64_t incarnation) {
    Atomics::template store<Label::W2>(state_.slots[slot].value, SlotWord(incarnation, 0).raw());
  }

  // W7. The slot leads nowhere from now on; its file is unlinked after this. In the other order a crash in between
  // would lose the highest incarnation that was ever at the path, and it could come twice.
  void vacate(unsigned slot, std::uint64_t incarnationAtPath) {
    Atomics::template store<Label::W7>(state_.slots[slot].value,
                                       SlotWord(nextIncarnation(slot, incarnationAtPath), 0).raw());
  }

  // W3 to W6, W8. The new version is there, then it is announced. In the other order a reader could remember a
  // sequence whose version it has not seen, and miss that version for ever. Returns whether somebody must be woken.
  bool announce(VersionWord version) {
    Atomics::template store<Label::W3>(state_.version.value, version.raw());
    // A waiter raises the flag, looks at `sequence` once more and sleeps on it. So the flag is taken down before the
    // sequence moves and looked at again after: one that rises in between belongs to somebody who may have seen the
    // old sequence, and is left up. Taking it down after W4 could take down the flag of one who sleeps on the new
    // sequence, whom no later publish would wake. A flag and not a count: a waiter that was killed leaves at most one
    // needless wake behind. Read-only readers cannot raise it, so a store of theirs (reuse: false) always wakes.
    const bool raisedBefore = Atomics::template load<Label::W5>(state_.waiters.value) != 0;
    if (raisedBefore) Atomics::template exchange<Label::W6>(state_.waiters.value, 0);
    reannounce();
    const bool raisedSince = Atomics::template load<Label::W8>(state_.waiters.value) != 0;
    return raisedBefore || raisedSince || !reuse_;
  }

  // W4 alone: a successor does not know whether its predecessor died between W3 and W4, nor whether it had woken
  // anybody; it wakes all.
  void reannounce() { Atomics::template fetchAdd<Label::W4>(state_.sequence.value, 1); }

  // D1, W4. No version of this store will follow. The caller wakes all.
  void bury() {
    Atomics::template store<Label::D1>(state_.version.value, VersionWord::tombstone().raw());
    reannounce();
  }

  // ---- a reader's side: any number of callers -----------------------------------------------------------------

  // Finds the newest version and pins it. `Regions` is this reader's set of mapped regions:
  //   bool has(slot, incarnation)    is this incarnation of the slot's region mapped?
  //   void map(slot)                 map what the slot's path leads to, if it is a region of this store and slot
  //   void forget(slot)              drop that mapping from the set
  template <class Regions>
  Adoption adopt(Regions& regions, unsigned tryLimit) {
    std::optional<VersionWord> mismatched;
    std::uint64_t sequence = 0;
    for (unsigned tries = 0; tries < tryLimit; ++tries) {
      // R1 before R2: a publish between the two makes us look once too often; the other way round we would
      // remember a sequence whose version we have not seen, and miss that version for ever.
      sequence = Atomics::template load<Label::R1>(state_.sequence.value);
      const VersionWord version(Atomics::template load<Label::R2>(state_.version.value));
      if (version.isNothing()) return {Adopt::nothing, sequence};
      if (version.isTombstone()) return {Adopt::destroyed, sequence};
      const unsigned slot = version.slot();
      if (slot >= kSlotLimit) return {Adopt::stateInvalid, sequence, version};

      // Map before pin: opening takes microseconds, and a pin held meanwhile would make the writer replace.
      // R3 is a hint that saves an open; R4 has the last word.
      std::uint64_t& word = state_.slots[slot].value;
      const std::uint64_t hint = SlotWord(Atomics::template load<Label::R3>(word)).incarnation();
      if (!regions.has(slot, hint)) regions.map(slot);

      std::uint64_t incarnation = hint;
      if (reuse_) incarnation = SlotWord(Atomics::template fetchAdd<Label::R4>(word, 1)).incarnation();

      // R5: still active? Then R4 came before the store by which the writer will leave this slot, hence before
      // every later look of his at the count: he will see us and replace instead of rewriting. Without pins
      // (reuse: false) it tells that the path led to the active slot's region all the while.
      // R6: still the same region? The version word holds 27 bits of a checksum, so R5 may see a later version of
      // equal size and equal bits: it is in the region that the slot leads to now, and we must be counted in on that.
      if (VersionWord(Atomics::template load<Label::R5>(state_.version.value)) != version ||
          SlotWord(Atomics::template load<Label::R6>(word)).incarnation() != incarnation) {
        unpin(slot, incarnation);
        continue;
      }
      if (!regions.has(slot, incarnation)) {
        unpin(slot, incarnation);
        regions.forget(slot);
        // A publish may have come between, once. Twice the same version without its region is damage.
        if (mismatched == version) return {Adopt::regionInvalid, sequence, version};
        mismatched = version;
        continue;
      }
      return {Adopt::adopted, sequence, version, incarnation};
    }
    return {Adopt::contended, sequence};
  }

  // U1, U2. Counts one reader out, if the slot still leads to the region it was counted in on. After a
  // replacement the count belongs to others: subtracting from theirs would let the writer rewrite under them.
  void unpin(unsigned slot, std::uint64_t incarnation) {
    if (!reuse_) return;
    std::uint64_t& word = state_.slots[slot].value;
    std::uint64_t seen = Atomics::template load<Label::U1>(word);
    while (SlotWord(seen).incarnation() == incarnation && SlotWord(seen).count() > 0) {
      if (Atomics::template compareExchange<Label::U2>(word, seen, seen - 1)) return;
    }
  }

 private:
  StateRegion& state_;
  const bool reuse_;
};

}  // namespace vitrine
