// Runs one step of one process, and the Atomics policy that makes every labelled access of handshake.hpp such
// a step.
//
// A process is in the middle of a C++ function between two of its steps, and its locals cannot be copied.
// They need not be: the function is deterministic but for what its accesses return. So a process is its
// memory when the operation began and a log of what the accesses have returned since. To take a step the
// operation is called anew, is fed the log, performs one access for real, and is left by longjmp at the next
// one. Nothing but the log and the memory may flow into it: whoever writes an operation must look at the
// world inside access(), observe() or choose() only.
#pragma once

#include <csetjmp>
#include <cstdio>
#include <cstdlib>

#include "mutants.hpp"
#include "state.hpp"

namespace vitrine::explorer {

class Simulation {
 public:
  Bounds bounds;
  Mutant mutant = Mutant::none;
  bool ignores(const char* invariant) const {
    return ignored != nullptr && std::strcmp(ignored, invariant) == 0;
  }
  const char* ignored = nullptr;

  const char* violated = nullptr;  // the invariant's number
  const char* explanation = nullptr;

  State* state = nullptr;
  unsigned actorIndex = 0;

  Actor& actor() { return state->actors[actorIndex]; }
  Local& me() { return actor().now; }
  World& world() { return state->world; }
  Words& words() { return world().words[me().store]; }
  bool is(Mutant one) const { return mutant == one; }

  bool isAfterHint = false;     // between R3 and the look at the mapped regions that follows it
  std::uint64_t lastValue = 0;  // of the access that step() performed, for traces
  At lastAt = At::rest;

  // While true, accesses are ones that no other process can notice or make a difference to.
  bool isPrivate = false;

  // Takes one step of one process; `option` answers the question the process stands at, if it does.
  // Returns false if an invariant broke.
  template <class Operation>
  bool step(State& target, unsigned index, std::uint8_t option, Operation&& operation) {
    state = &target;
    actorIndex = index;
    Actor& self = actor();
    self.now = self.base;
    cursor_ = 0;
    option_ = option;
    hasChosen_ = self.pending.at != At::rest && self.pending.at != At::choice;
    hasMoved_ = false;
    isPrivate = isAfterHint = false;
    lastAt = At::choice;
    if (setjmp(exit_) == 0) {
      operation();
      Actor& done = actor();
      if (cursor_ != done.logLength) die("an operation ended before its log");
      done.now.draftNumber = done.now.draftPayload = 0;
      done.now.versionSeen = done.now.wordSeen = done.now.pinnedEarly = done.now.versionDelayed = 0;
      done.base = done.now;
      done.logLength = 0;
      done.pending = Pending{};
    }
    return violated == nullptr;
  }

  template <class Perform>
  std::uint64_t access(At at, Perform&& perform) {
    if (cursor_ < actor().logLength) return replay(at);
    // A choice that nothing follows is a step by itself; any other goes with the access after it.
    if (hasMoved_) stop(Pending{at, static_cast<std::uint8_t>(isPrivate), 1});
    hasMoved_ = true;
    lastAt = at;
    return lastValue = record(at, perform());
  }

  // The last access turned out to be as if the one before it had been late, and had returned this.
  void amend(std::uint64_t value) {
    --actor().logLength;
    --cursor_;
    actor().log[cursor_ - 1] = value;
  }

  // A look that is part of the step before it, or an effect on ghosts.
  template <class Perform>
  std::uint64_t observe(Perform&& perform) {
    if (cursor_ < actor().logLength) return replay(At::ghost);
    return record(At::ghost, perform());
  }

  // 0 to options - 1, all of them explored. At the beginning of an operation the search says which codes
  // there are.
  std::uint8_t choose(unsigned options) {
    if (cursor_ < actor().logLength) return static_cast<std::uint8_t>(replay(At::choice));
    if (hasMoved_ || hasChosen_) stop(Pending{At::choice, 1, static_cast<std::uint8_t>(options)});
    hasChosen_ = true;
    return static_cast<std::uint8_t>(record(At::choice, option_));
  }

  [[noreturn]] void fail(const char* invariant, const char* why) {
    report(invariant, why);
    std::longjmp(exit_, 1);
  }
  void require(bool holds, const char* invariant, const char* why) {
    if (!holds && !ignores(invariant)) fail(invariant, why);
  }
  void report(const char* invariant, const char* why) {
    if (violated != nullptr) return;
    violated = invariant;
    explanation = why;
  }

  [[noreturn]] static void die(const char* why) {
    std::fprintf(stderr, "explorer: %s\n", why);
    std::exit(2);
  }

 private:
  std::uint64_t replay(At at) {
    if (actor().ats[cursor_] != at)
      die("an operation did not repeat itself: something flows into it beside its log");
    return actor().log[cursor_++];
  }
  std::uint64_t record(At at, std::uint64_t value) {
    Actor& self = actor();
    if (self.logLength == kLogLimit) fail("I5", "an operation does not end");
    self.ats[self.logLength] = at;
    self.log[self.logLength++] = value;
    ++cursor_;
    return value;
  }
  // Skips no destructor that does anything: operations own nothing.
  [[noreturn]] void stop(Pending pending) {
    actor().pending = pending;
    std::longjmp(exit_, 1);
  }

  std::jmp_buf exit_;
  unsigned cursor_ = 0;
  bool hasMoved_ = false, hasChosen_ = false;
  std::uint8_t option_ = 0;
};

inline Simulation sim;

// The handshake is given one of these. Its words are names only: a value is looked up in the simulated world.
// Bytes that it would read otherwise make no sense.
inline std::array<StateRegion, kStores + 1> decoys = [] {
  std::array<StateRegion, kStores + 1> regions;
  std::memset(static_cast<void*>(regions.data()), 0xd5, sizeof regions);
  return regions;
}();

struct Cell {
  std::uint64_t* value;
  unsigned store;
  int slot;  // of a slot word, else -1
  bool isVersion;
};

inline Cell cellOf(const std::uint64_t& word) {
  for (unsigned store = 1; store <= kStores; ++store) {
    const StateRegion& decoy = decoys[store];
    Words& words = sim.world().words[store];
    if (&word == &decoy.version.value) return {&words.version, store, -1, true};
    if (&word == &decoy.sequence.value) return {&words.sequence, store, -1, false};
    if (&word == &decoy.waiters.value) return {&words.waiters, store, -1, false};
    for (int slot = 0; slot < static_cast<int>(kSlots); ++slot) {
      if (&word == &decoy.slots[slot].value) return {&words.slots[slot], store, slot, false};
    }
  }
  Simulation::die("the handshake touched a word that is none of its own");
}

// Called with the world as it is just before the version word changes.
inline void checkVersionStore(unsigned store, std::uint64_t raw) {
  World& world = sim.world();
  const VersionWord version(raw);
  if (version.isTombstone()) {
    world.announced[store] = 0;
    return;
  }
  sim.require(!VersionWord(world.words[store].version).isTombstone(), "I6",
              "published into a store that was destroyed");
  sim.require(!version.isNothing(), "I7", "a successor found the newest version's region unsound");
  const Local& writer = sim.me();
  const unsigned slot = version.slot(), number = writer.draftNumber;
  const File& file = world.files[world.path[slot]];
  sim.require(number > world.newest[store], "I6", "publish numbers are unique and rise");
  const VersionWord before(world.words[store].version);
  sim.require(before.isNothing() || before.slot() != slot, "I7", "published into the active slot");
  sim.require(world.path[slot] != 0 && file.store == store && file.number == number &&
                  file.payload[0] == writer.draftPayload && file.payload[1] == writer.draftPayload,
              "I7", "published a region that is not complete, or has no name");
  sim.require(file.incarnation == SlotWord(world.words[store].slots[slot]).incarnation(), "I9",
              "the slot word does not lead to the region that was published");
  if (number >= kNumbers) Simulation::die("more publish numbers than the bounds of the state");
  world.newest[store] = static_cast<std::uint8_t>(number);
  world.published[store][number] = writer.draftPayload;
  world.announced[store] = 0;
}

struct ExploredAtomics {
  template <Label L>
  static std::uint64_t load(const std::uint64_t& word) {
    const Cell cell = cellOf(word);
    Local& me = sim.me();
    if constexpr (L == Label::R5) {
      if (sim.is(Mutant::versionNotRechecked)) return me.versionSeen;
    }
    if constexpr (L == Label::R6) {
      if (sim.is(Mutant::wordNotRechecked)) return me.wordSeen;
    }
    if constexpr (L == Label::W5) {
      if (sim.is(Mutant::flagClearedAfter)) return 0;
    }
    if constexpr (L == Label::W8) {
      if (sim.is(Mutant::flagNotLookedAtAgain)) return 0;
      if (sim.is(Mutant::flagClearedAfter)) {
        const std::uint64_t raised = access(at(L), L, [&] { return *cell.value; });
        if (raised != 0) access(At::W6, L, [&] { return *cell.value = 0; });
        return raised;
      }
    }
    if constexpr (L == Label::R3) {
      sim.isAfterHint = true;
      if (sim.is(Mutant::pinnedFirst)) {
        const std::uint64_t pinned = countIn(cell);
        return me.pinnedEarly = pinned;
      }
      if (sim.is(Mutant::hintIgnored)) return SlotWord(0, 0).raw();
    }
    const std::uint64_t value = access(at(L), L, [&] { return withoutCount(L, *cell.value); });
    if constexpr (L == Label::R2) me.versionSeen = value;
    if constexpr (L == Label::R3) me.wordSeen = value;
    if constexpr (L == Label::U1) {
      if (!sim.is(Mutant::unpinnedBlindly)) forgetVoidPins(cell, value);
      if (sim.is(Mutant::unpinnedBlindly)) {
        // As if the incarnation were not compared: it is always the one that the caller was counted in on.
        me.wordSeen = value;
        for (const Pin& pin : me.pins) {
          if (pin.store == cell.store && pin.slot == cell.slot) return SlotWord(pin.incarnation, 1).raw();
        }
      }
    }
    if constexpr (L == Label::W1) {
      if (sim.is(Mutant::countIgnored)) return SlotWord(SlotWord(value).incarnation(), 0).raw();
    }
    return value;
  }

  template <Label L>
  static void store(std::uint64_t& word, std::uint64_t value) {
    const Cell cell = cellOf(word);
    if constexpr (L == Label::W3) {
      if (sim.is(Mutant::versionNotStored)) return;
      if (sim.is(Mutant::sequenceFirst)) {
        access(At::W4, L, [&] { return sim.world().words[cell.store].sequence += 1; });
        sim.me().versionDelayed = value;
        return;
      }
    }
    if constexpr (L == Label::W2) {
      if (sim.is(Mutant::wordNotStored)) return;
    }
    if constexpr (L == Label::W7) {
      if (sim.is(Mutant::vacatedInName)) return;
    }
    if constexpr (L == Label::D1) {
      if (sim.is(Mutant::tombstoneNotStored)) return;
    }
    access(at(L), L, [&] {
      if (cell.isVersion) checkVersionStore(cell.store, value);
      std::uint64_t stored = value;
      if (cell.slot >= 0) {
        sim.require(SlotWord(value).incarnation() > SlotWord(*cell.value).incarnation(), "I8",
                    "the incarnation of a slot word only rises");
        if (L == Label::W2 && sim.is(Mutant::countsKept)) stored |= SlotWord(*cell.value).count();
      }
      return *cell.value = stored;
    });
  }

  template <Label L>
  static std::uint64_t fetchAdd(std::uint64_t& word, std::uint64_t value) {
    const Cell cell = cellOf(word);
    Local& me = sim.me();
    if constexpr (L == Label::R4) {
      if (sim.is(Mutant::pinnedFirst)) return me.wordSeen = me.pinnedEarly;
      return me.wordSeen = countIn(cell);
    }
    if constexpr (L == Label::W4) {
      if (sim.is(Mutant::sequenceNotMoved)) return 0;
      if (me.versionDelayed != 0) {
        access(At::W3, L, [&] {
          checkVersionStore(cell.store, me.versionDelayed);
          return sim.world().words[cell.store].version = me.versionDelayed;
        });
        return 0;
      }
    }
    return access(at(L), L, [&] {
      const std::uint64_t before = *cell.value;
      *cell.value += value;
      return before;
    });
  }

  template <Label L>
  static std::uint64_t exchange(std::uint64_t& word, std::uint64_t value) {
    const Cell cell = cellOf(word);
    if (L == Label::W6 && sim.is(Mutant::flagNotCleared)) return 1;
    return access(at(L), L, [&] {
      const std::uint64_t before = *cell.value;
      *cell.value = value;
      return before;
    });
  }

  template <Label L>
  static bool compareExchange(std::uint64_t& word, std::uint64_t& expected, std::uint64_t value) {
    const Cell cell = cellOf(word);
    Local& me = sim.me();
    const std::uint64_t incarnation = SlotWord(expected).incarnation();
    const std::uint64_t compared = sim.is(Mutant::unpinnedBlindly) ? me.wordSeen : expected;
    const std::uint64_t stored = sim.is(Mutant::unpinnedBlindly) ? me.wordSeen - 1 : value;
    // Failure is told by a value that no slot word has.
    constexpr std::uint64_t kDone = ~std::uint64_t{0};
    const std::uint64_t seen = access(at(L), L, [&] {
      if (*cell.value != compared && !sim.is(Mutant::unpinnedWithoutCompare)) return *cell.value;
      *cell.value = stored;
      return kDone;
    });
    if (seen != kDone) {
      // Compares again with what it has seen, as if U1 had only been now: failures need not be remembered.
      sim.amend(seen);
      expected = me.wordSeen = seen;
      forgetVoidPins(cell, seen);
      return false;
    }
    forgetPin(cell.store, cell.slot, incarnation);
    return true;
  }

 private:
  // Labels that belong to the writer alone need no turn of their own: T1 reads what only a writer stores, and
  // nobody else looks at the flag in a run without waiters.
  template <class Perform>
  static std::uint64_t access(At at, Label label, Perform&& perform) {
    const bool isFlag = label == Label::W5 || label == Label::W6 || label == Label::W8;
    const bool before = std::exchange(
        sim.isPrivate, sim.isPrivate || label == Label::T1 || (isFlag && sim.bounds.waiters == 0));
    const std::uint64_t value = sim.access(at, perform);
    sim.isPrivate = before;
    return value;
  }

  // adopt() looks at the incarnation in R3, R4 and R6, and states that differ in counts seen are many.
  static std::uint64_t withoutCount(Label label, std::uint64_t word) {
    const bool hasNoUse = label == Label::R3 || label == Label::R4 || label == Label::R6;
    return hasNoUse && !sim.bounds.counts ? SlotWord(SlotWord(word).incarnation(), 0).raw() : word;
  }

  static std::uint64_t countIn(const Cell& cell) {
    const std::uint64_t before = [&] {
      if (sim.is(Mutant::countedInNever)) return access(At::R4, Label::R4, [&] { return *cell.value; });
      if (sim.is(Mutant::countedInByLoadAndStore)) {
        const std::uint64_t seen = access(At::R4, Label::R4, [&] { return *cell.value; });
        access(At::R4, Label::R4, [&] { return *cell.value = seen + 1; });
        return seen;
      }
      return access(At::R4, Label::R4, [&] { return withoutCount(Label::R4, (*cell.value)++); });
    }();
    for (Pin& pin : sim.me().pins) {
      if (pin.store != 0) continue;
      pin = Pin{static_cast<std::uint8_t>(cell.store), static_cast<std::uint8_t>(cell.slot),
                static_cast<std::uint8_t>(SlotWord(before).incarnation()), 0};
      return before;
    }
    sim.require(false, "I4", "a reader forgot to count itself out");
    return before;
  }

  // Incarnations only rise: a count that a replacement has voided stays void, and there is nothing to count
  // out of.
  static void forgetVoidPins(const Cell& cell, std::uint64_t word) {
    for (Pin& pin : sim.me().pins) {
      const bool isOfSlot = pin.store == cell.store && pin.slot == cell.slot;
      if (isOfSlot && pin.incarnation != SlotWord(word).incarnation()) pin = Pin{};
    }
  }

  static void forgetPin(unsigned store, int slot, std::uint64_t incarnation) {
    for (Pin& pin : sim.me().pins) {
      if (pin.store != store || pin.slot != slot || pin.incarnation != incarnation) continue;
      pin = Pin{};
      return;
    }
    sim.require(false, "I4", "a reader counted out somebody else");
  }
};

}  // namespace vitrine::explorer
