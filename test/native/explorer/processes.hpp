// The writer, readers and waiters, step by step as native/writer_handle.cc, native/reader_handle.cc and
// src/synchronizer drive the handshake. Which slot is taken, when a region is rewritten, replaced or given
// back, what is held and for how long is policy there; here it is left open, and every choice is explored.
#pragma once

#include "simulation.hpp"

namespace vitrine::explorer {

using Shake = Handshake<ExploredAtomics>;

// The first choice of every operation: what to do, and to which slot (or set of slots).
enum class Operation : std::uint8_t {
  takeOver,
  takeOverAfterSweep,
  publishInPlace,
  replace,
  vacate,
  destroy,
  adopt,
  release,
  wait
};
inline std::uint8_t code(Operation operation, unsigned argument = 0) {
  return static_cast<std::uint8_t>(static_cast<unsigned>(operation) << 4 | argument);
}
inline Operation operationOf(std::uint8_t code) { return static_cast<Operation>(code >> 4); }

struct Codes {
  std::array<std::uint8_t, 32> codes;
  unsigned count = 0;
  void add(std::uint8_t code) { codes[count++] = code; }
};

// What a process at rest may begin.
inline Codes operationsOf(const Simulation& sim, const State& state, const Actor& actor) {
  Codes codes;
  const Bounds& bounds = sim.bounds;
  const World& world = state.world;
  const Local& me = actor.base;
  const Words& words = world.words[me.store];
  switch (actor.kind) {
    case Kind::writer:
      if (me.isTakingOver) {
        codes.add(code(Operation::takeOver));
        for (unsigned deleted = 0; world.sweeps > 0 && deleted < 1u << bounds.slots; ++deleted) {
          codes.add(code(Operation::takeOverAfterSweep, deleted));
        }
        break;
      }
      for (unsigned slot = 0; slot < bounds.slots; ++slot) {
        if (slot == me.active) continue;
        const bool mayReuse = bounds.reuse || (sim.mutant == Mutant::reuseChanged && me.hasCrashed);
        if (world.publishes > 0 && mayReuse && me.regions[slot].file != 0) {
          codes.add(code(Operation::publishInPlace, slot));
        }
        if (world.publishes > 0) codes.add(code(Operation::replace, slot));
        // The addon gives back regions that it has open; here also what a predecessor left at the path.
        if (world.vacates > 0 && world.path[slot] != 0) codes.add(code(Operation::vacate, slot));
      }
      if (world.destroys > 0 && world.stores < kStores) codes.add(code(Operation::destroy));
      break;
    case Kind::reader:
      // The fast path: `sequence` only grows, so that a reader who found it moved finds it moved at R1.
      if (me.store == 0 || words.sequence != me.remembered) codes.add(code(Operation::adopt));
      if (me.held.file != 0) codes.add(code(Operation::release));
      break;
    case Kind::waiter:
      if (!me.asleep) codes.add(code(Operation::wait));
      break;
  }
  return codes;
}

// ---- the writer -------------------------------------------------------------------------------------------

inline Shake shakeOf(unsigned store) {
  return Shake(decoys[store], sim.bounds.reuse || (sim.is(Mutant::reuseChanged) && sim.me().hasCrashed));
}

template <class Perform>
std::uint64_t privately(Perform&& perform) {
  sim.isPrivate = true;
  const std::uint64_t value = perform();
  sim.isPrivate = false;
  return value;
}

inline void wakeAll() {
  const auto wake = [] {
    return sim.access(At::wake, [] {
      for (unsigned index = 0; index < sim.state->actorCount; ++index) {
        Actor& actor = sim.state->actors[index];
        const bool sleepsHere = actor.kind == Kind::waiter && actor.base.store == sim.me().store;
        if (sleepsHere) actor.base.asleep = actor.now.asleep = 0;
      }
      return 0;
    });
  };
  if (sim.bounds.waiters == 0)
    privately(wake);
  else
    wake();
}

inline void markAnnounced(unsigned store) {
  sim.observe([&] { return sim.world().announced[store] = 1; });
}

inline void unlinkRegion(unsigned slot) {
  sim.access(At::unlink, [&] { return sim.world().path[slot] = 0; });
}

inline void bury(unsigned store) {
  shakeOf(store).bury();
  markAnnounced(store);
  if (!sim.is(Mutant::burialSilent)) wakeAll();
}

inline void unlinkState() {
  sim.access(At::unlinkState, [] { return sim.world().statePath = 0; });
}

// Takes the identity of what the slot's path leads to, if it is a region of this store: file, incarnation,
// number.
inline std::uint64_t peek(unsigned slot) {
  return sim.observe([&]() -> std::uint64_t {
    const unsigned id = sim.world().path[slot];
    const File& file = sim.world().files[id];
    const bool isOurs = file.store == sim.me().store || sim.is(Mutant::noStoreId);
    if (id == 0 || !isOurs || file.slot != slot) return 0;
    return id | file.incarnation << 8 | file.number << 16;
  });
}

inline std::uint64_t incarnationAtPath(unsigned slot) {
  if (sim.is(Mutant::noMaximum)) return 0;
  if (sim.me().regions[slot].file != 0) return sim.me().regions[slot].incarnation;
  return peek(slot) >> 8 & 0xff;
}

// takeover.ts openOrCreateState(), WriterHandle::takeOver()
inline void takeOver(bool isSwept, unsigned deleted) {
  Local& me = sim.me();
  if (isSwept) {
    sim.access(At::sweep, [&] {
      --sim.world().sweeps;
      for (unsigned slot = 0; slot < kSlots; ++slot) {
        if (deleted >> slot & 1) sim.world().path[slot] = 0;
      }
      return sim.world().statePath = 0;
    });
  }
  me.store = static_cast<std::uint8_t>(sim.observe([] { return sim.world().statePath; }));
  if (me.store != 0 && !sim.is(Mutant::tombstoneOverlooked) && shakeOf(me.store).version().isTombstone()) {
    bury(me.store);
    unlinkState();
    me.store = 0;
  }
  if (me.store == 0) {
    for (unsigned slot = 0; slot < sim.bounds.slots; ++slot) {
      // The mutant shows why regions name their store: what cleans up is not enough.
      if (sim.observe([&] { return sim.world().path[slot]; }) != 0) unlinkRegion(slot);
    }
    me.store = static_cast<std::uint8_t>(sim.access(At::linkState, [] {
      World& world = sim.world();
      world.announced[++world.stores] = 1;
      return world.statePath = world.stores;
    }));
  }

  Shake handshake = shakeOf(me.store);
  const VersionWord version = handshake.version();
  me.publishNumber =
      static_cast<std::uint8_t>(sim.observe([&] { return sim.world().blockNumber[me.store]; }));
  if (sim.is(Mutant::numberRestarted)) me.publishNumber = 0;
  for (unsigned slot = 0; slot < sim.bounds.slots; ++slot) {
    const std::uint64_t found = peek(slot);
    if (found == 0) continue;
    const unsigned incarnation = found >> 8 & 0xff, number = found >> 16;
    const bool agrees = privately([&] { return handshake.slotWord(slot).incarnation(); }) == incarnation ||
                        sim.is(Mutant::suspectTrusted);
    if (!agrees) continue;
    me.regions[slot] = Mapped{static_cast<std::uint8_t>(found), static_cast<std::uint8_t>(incarnation)};
    if (number > me.publishNumber && !sim.is(Mutant::numberRestarted)) {
      me.publishNumber = static_cast<std::uint8_t>(number);
    }
  }
  me.active = kNoSlot;
  if (!version.isNothing()) {
    const unsigned slot = version.slot();
    if (slot < kSlots && me.regions[slot].file != 0) {
      me.active = static_cast<std::uint8_t>(slot);
    } else {
      handshake.announce(VersionWord::nothing());
    }
  }
  if (!sim.is(Mutant::notReannounced)) handshake.reannounce();
  markAnnounced(me.store);
  if (!sim.is(Mutant::takeoverSilent)) wakeAll();
  me.isTakingOver = 0;
}

inline std::uint8_t checksumOf(unsigned payload) {
  return static_cast<std::uint8_t>(sim.bounds.collide ? 0 : payload);
}

// WriterHandle::commit(), from the version word on
inline void announce(unsigned slot) {
  Local& me = sim.me();
  Shake handshake = shakeOf(me.store);
  if (sim.is(Mutant::countedEarly)) {
    me.early &= static_cast<std::uint8_t>(~(1u << slot));
    if (me.active != kNoSlot && handshake.slotWord(me.active).count() == 0) {
      me.early |= static_cast<std::uint8_t>(1u << me.active);
    }
  }
  const bool mustWake = handshake.announce(VersionWord(slot, 1, checksumOf(me.draftPayload)));
  markAnnounced(me.store);
  sim.observe([&] { return sim.world().newest[me.store] = me.draftNumber; });
  me.publishNumber = me.draftNumber;
  me.active = static_cast<std::uint8_t>(slot);
  privately([&] {
    return sim.access(At::block, [&] { return sim.world().blockNumber[me.store] = me.publishNumber; });
  });
  if (mustWake) wakeAll();
}

// A store into a region that has, or may have, readers.
template <class Write>
void rewrite(At at, unsigned file, Write&& write) {
  sim.access(at, [&] { return write(sim.world().files[file]), 0; });
}

inline void encode(unsigned file) {
  const std::uint8_t payload = sim.me().draftPayload;
  rewrite(At::payload0, file, [&](File& region) { region.payload[0] = payload; });
  rewrite(At::payload1, file, [&](File& region) { region.payload[1] = payload; });
}

inline void completeHeader(unsigned file) {
  Local& me = sim.me();
  rewrite(At::checksum, file, [&](File& region) { region.checksum = checksumOf(me.draftPayload); });
  rewrite(At::number, file, [&](File& region) { region.number = me.draftNumber; });
}

// Slots::claim(), Draft.commit() or Draft.abort()
inline void publishInPlace(unsigned slot) {
  Local& me = sim.me();
  const Mapped region = me.regions[slot];
  Shake handshake = shakeOf(me.store);
  const auto isFree = [&] { return handshake.mayRewrite(slot, region.incarnation); };

  if (sim.is(Mutant::waitsForReaders)) {
    while (!isFree()) {
    }
  } else if (sim.is(Mutant::countedEarly)) {
    if ((me.early >> slot & 1) == 0) return;
  } else if (sim.is(Mutant::suspectTrusted)) {
    if (handshake.slotWord(slot).count() != 0) return;
  } else if (!sim.is(Mutant::countedLate) && !isFree()) {
    return;
  }
  me.draftNumber = me.publishNumber + 1;
  me.draftPayload = static_cast<std::uint8_t>(sim.access(At::claim, [&] {
    World& world = sim.world();
    --world.publishes;
    if (!sim.is(Mutant::numberNotCleared)) world.files[region.file].number = 0;
    return ++world.attempts;
  }));
  encode(region.file);
  if (sim.is(Mutant::countedLate) && !isFree()) return;
  if (sim.observe([] { return sim.world().aborts; }) > 0 && sim.choose(2) == 1) {
    sim.observe([] { return --sim.world().aborts; });
    return;
  }
  completeHeader(region.file);
  announce(slot);
}

// Publisher.allocate(), Draft.commit(). Nobody sees the fresh file before it has a name, so that its making
// is one step.
inline void replace(unsigned slot) {
  Local& me = sim.me();
  Shake handshake = shakeOf(me.store);
  const std::uint64_t incarnation = sim.is(Mutant::wordNotAsked)
                                        ? incarnationAtPath(slot) + 1
                                        : handshake.nextIncarnation(slot, incarnationAtPath(slot));
  me.draftNumber = me.publishNumber + 1;
  if (incarnation >= 16) Simulation::die("more incarnations than the bounds of the state");

  unsigned fresh = 0;
  const auto rename = [&] {
    const std::uint64_t made = sim.access(At::rename, [&]() -> std::uint64_t {
      World& world = sim.world();
      unsigned id = 1;
      while (id < kFiles && world.files[id].store != 0) ++id;
      if (id == kFiles) Simulation::die("more files than the bounds of the state");
      std::uint16_t& named = world.named[me.store][slot];
      sim.require((named >> incarnation & 1) == 0, "I8", "an incarnation named two regions");
      named |= static_cast<std::uint16_t>(1u << incarnation);
      --world.publishes;
      const std::uint8_t payload = ++world.attempts;
      File& file = world.files[id];
      file = File{me.store, static_cast<std::uint8_t>(slot), static_cast<std::uint8_t>(incarnation), 0, 0, {},
                  0};
      if (!sim.is(Mutant::namedBeforeEncoded)) {
        file.number = me.draftNumber;
        file.checksum = checksumOf(payload);
        file.payload = {payload, payload};
      }
      world.path[slot] = static_cast<std::uint8_t>(id);
      return id | payload << 8;
    });
    fresh = made & 0xff;
    me.draftPayload = static_cast<std::uint8_t>(made >> 8);
  };

  if (sim.is(Mutant::wordBeforeRename)) handshake.install(slot, incarnation);
  rename();
  if (sim.is(Mutant::namedBeforeEncoded)) {
    encode(fresh);
    completeHeader(fresh);
  }
  if (!sim.is(Mutant::wordBeforeRename) && !sim.is(Mutant::wordAfterVersion))
    handshake.install(slot, incarnation);
  me.regions[slot] = Mapped{static_cast<std::uint8_t>(fresh), static_cast<std::uint8_t>(incarnation)};
  announce(slot);
  if (sim.is(Mutant::wordAfterVersion)) handshake.install(slot, incarnation);
}

// WriterHandle::vacate()
inline void vacate(unsigned slot) {
  Local& me = sim.me();
  sim.observe([] { return --sim.world().vacates; });
  const std::uint64_t highest = incarnationAtPath(slot);
  if (sim.is(Mutant::unlinkedFirst)) {
    unlinkRegion(slot);
    shakeOf(me.store).vacate(slot, 0);
  } else {
    shakeOf(me.store).vacate(slot, highest);
    unlinkRegion(slot);
  }
  me.regions[slot] = Mapped{};
}

// Publisher.destroy(), and the writer of another store after it
inline void destroy() {
  Local& me = sim.me();
  sim.observe([] { return --sim.world().destroys; });
  if (sim.is(Mutant::stateUnlinkedFirst)) unlinkState();
  bury(me.store);
  // A directory is listed in any order.
  const bool isStateFirst = sim.choose(2) == 0;
  if (isStateFirst) unlinkState();
  for (unsigned slot = 0; slot < sim.bounds.slots; ++slot) {
    if (me.regions[slot].file != 0) unlinkRegion(slot);
  }
  if (!isStateFirst) unlinkState();
  const std::uint8_t hasCrashed = me.hasCrashed;
  me = Local{};
  me.isTakingOver = 1;
  me.hasCrashed = hasCrashed;
}

// ---- a reader ---------------------------------------------------------------------------------------------

struct Regions {
  bool has(unsigned slot, std::uint64_t incarnation) const {
    const bool isFirstLook = std::exchange(sim.isAfterHint, false);
    if (!isFirstLook && sim.is(Mutant::pinNotCompared)) return true;
    const Mapped& region = sim.me().regions[slot];
    return region.file != 0 && region.incarnation == incarnation;
  }
  // What open() finds is what is mapped, whatever the path leads to by then: one step.
  void map(unsigned slot) {
    const std::uint64_t found = sim.access(At::mapRegion, [&] {
      const unsigned id = sim.world().path[slot];
      const File& file = sim.world().files[id];
      const bool isOurs = file.store == sim.me().store || sim.is(Mutant::noStoreId);
      return id == 0 || !isOurs || file.slot != slot ? 0u : id | file.incarnation << 8;
    });
    sim.me().regions[slot] = Mapped{static_cast<std::uint8_t>(found), static_cast<std::uint8_t>(found >> 8)};
  }
  void forget(unsigned slot) { sim.me().regions[slot] = Mapped{}; }
};

inline void letGo(Holding& holding) {
  const Holding given = std::exchange(holding, Holding{});  // no byte is read after this
  Shake(decoys[given.store], sim.bounds.reuse).unpin(given.slot, given.incarnation);
}

// Adopter.#attach(), ReaderHandle::attach()
inline bool attach() {
  Local& me = sim.me();
  const auto found =
      static_cast<std::uint8_t>(sim.access(At::openState, [] { return sim.world().statePath; }));
  if (found == 0) return false;
  if (found != me.store && !sim.is(Mutant::numberKept)) me.have = 0;
  if (!sim.is(Mutant::mappingsKept)) me.regions = {};
  me.store = found;
  return true;
}

inline void detach() {
  if (!sim.is(Mutant::sequenceKept)) sim.me().remembered = kNever;
}

// Adopter.newest(), ReaderHandle::adopt()
inline void adopt() {
  Local& me = sim.me();
  if (me.store == 0 && !attach()) return;
  Regions regions;
  const auto tryOnce = [&] {
    return Shake(decoys[me.store], sim.bounds.reuse).adopt(regions, sim.bounds.tries);
  };
  Adoption adoption = tryOnce();
  const auto isGone = [&] {
    return sim.access(At::openState, [] { return sim.world().statePath; }) != me.store;
  };
  if (adoption.outcome == Adopt::destroyed || (adoption.outcome == Adopt::regionInvalid && isGone())) {
    detach();
    if (!attach()) {
      me.store = 0;
      return;
    }
    adoption = tryOnce();
  }
  switch (adoption.outcome) {
    case Adopt::nothing:
    case Adopt::destroyed:
      return;
    case Adopt::contended:
      sim.require(sim.bounds.tries == 1, "I9",
                  "adoption was repeated more often than versions were published");
      return;
    case Adopt::stateInvalid:
      sim.require(false, "I9", "a version word that no writer stores");
      return;
    case Adopt::regionInvalid:
      sim.require(isGone(), "I9", "the newest version's region is missing or not its own");
      return;
    case Adopt::adopted:
      break;
  }

  const auto slot = static_cast<std::uint8_t>(adoption.version.slot());
  const Mapped region = me.regions[slot];
  // The header is read later than this; that nothing changes until we count ourselves out is what is checked.
  const auto number = static_cast<std::uint8_t>(sim.observe([&] {
    const File& file = sim.world().files[region.file];
    sim.require(file.store == me.store && file.slot == slot && file.number != 0, "I1",
                "adopted a region that is another store's, or being written");
    RegionHeader header{};
    header.payloadByteLength = 1;
    header.checksum = file.checksum;
    sim.require(adoption.version.agreesWith(header), "I1", "adopted a region that is not the version word's");
    sim.require(file.number >= me.have, "I2", "a reader went back to an older version");
    return file.number;
  }));
  me.candidate =
      Holding{region.file, number, me.store, slot, static_cast<std::uint8_t>(adoption.incarnation)};
  if (sim.is(Mutant::sequenceRememberedLate)) {
    adoption.sequence = sim.access(At::R1, [] { return sim.words().sequence; });
  }
  me.remembered = static_cast<std::uint8_t>(adoption.sequence);
  if (number == me.have) return letGo(me.candidate);
  me.have = number;
  const bool isHeld = sim.bounds.holds > 0 && sim.choose(2) == 1;
  if (!isHeld) return letGo(me.candidate);  // copied out
  const Holding former = std::exchange(me.held, std::exchange(me.candidate, Holding{}));
  if (former.file == 0) return;
  me.candidate = former;  // still whole until here
  letGo(me.candidate);
}

// ---- a waiter ---------------------------------------------------------------------------------------------

// Has adopted what `sequence` announces, and sleeps until it moves.
inline void wait() {
  Local& me = sim.me();
  me.have = static_cast<std::uint8_t>(sim.access(At::R1, [] { return sim.words().sequence; }));
  if (VersionWord(sim.access(At::R2, [] { return sim.words().version; })).isTombstone()) {
    const auto found =
        static_cast<std::uint8_t>(sim.access(At::openState, [] { return sim.world().statePath; }));
    if (found != 0) me.store = found;
    return;
  }
  if (sim.bounds.reuse && !sim.is(Mutant::flagNotRaised)) {
    sim.access(At::raise, [] { return sim.words().waiters = 1; });
  }
  std::uint64_t expected = me.have;
  if (sim.is(Mutant::expectedLate)) expected = sim.access(At::R1, [] { return sim.words().sequence; });
  // The kernel compares and goes to sleep in one step.
  me.asleep =
      static_cast<std::uint8_t>(sim.access(At::sleep, [&] { return sim.words().sequence == expected; }));
}

inline void operate() {
  const std::uint8_t chosen = sim.choose(0);
  const unsigned argument = chosen & 0xf;
  switch (operationOf(chosen)) {
    case Operation::takeOver:
      return takeOver(false, 0);
    case Operation::takeOverAfterSweep:
      return takeOver(true, argument);
    case Operation::publishInPlace:
      return publishInPlace(argument);
    case Operation::replace:
      return replace(argument);
    case Operation::vacate:
      return vacate(argument);
    case Operation::destroy:
      return destroy();
    case Operation::adopt:
      return adopt();
    case Operation::release:
      return letGo(sim.me().held);
    case Operation::wait:
      return wait();
  }
}

}  // namespace vitrine::explorer
