// Runs native/handshake.hpp through every interleaving of one writer, its successors and some readers, within
// bounds given on the command line, and checks the invariants of docs/protocol.md in every state:
//
//   I1  what a reader has adopted is one published version, whole and unchanged until it lets go
//   I2  a reader never goes back
//   I3  a reader whose fast path says "unchanged" has the newest version, once its announcement is over
//   I4  a slot word counts exactly the readers that are counted in on its incarnation
//   I5  the writer's operations end, whatever readers do
//   I6  publish numbers are unique and rise, and nothing is published into a store that was destroyed
//   I7  what the version word leads to is complete and has a name, and was not active before
//   I8  an incarnation of a slot names one region, for ever
//   I9  adoption finds the newest version's region, and repeats only because something was published
//   I10 whoever is attached to a store that was destroyed will look for another one
//   I11 nobody sleeps through a publish
//
//     explorer readers=2 publishes=2 crashes=1 [mutant=<name>] [ignore=<invariant>] [limit=<states>]
//
// Prints one line of JSON; after it, if an invariant broke, the steps that led there.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "explorer/search.hpp"

namespace {

using namespace vitrine;
using namespace vitrine::explorer;

bool assign(std::string_view name, std::string_view argument, unsigned& field) {
  if (argument.size() <= name.size() || !argument.starts_with(name) || argument[name.size()] != '=')
    return false;
  field = static_cast<unsigned>(std::strtoul(argument.data() + name.size() + 1, nullptr, 10));
  return true;
}

}  // namespace

int main(int argumentCount, char** arguments) {
  Bounds& bounds = sim.bounds;
  unsigned limit = 400'000'000, reuse = 1, collide = 0, warm = 0, counts = 0;
  for (int i = 1; i < argumentCount; ++i) {
    const std::string_view argument = arguments[i];
    if (assign("readers", argument, bounds.readers) || assign("waiters", argument, bounds.waiters) ||
        assign("slots", argument, bounds.slots) || assign("publishes", argument, bounds.publishes) ||
        assign("crashes", argument, bounds.crashes) || assign("vacates", argument, bounds.vacates) ||
        assign("aborts", argument, bounds.aborts) || assign("destroys", argument, bounds.destroys) ||
        assign("sweeps", argument, bounds.sweeps) || assign("tries", argument, bounds.tries) ||
        assign("holds", argument, bounds.holds) || assign("reuse", argument, reuse) ||
        assign("collide", argument, collide) || assign("warm", argument, warm) ||
        assign("counts", argument, counts) || assign("limit", argument, limit)) {
      continue;
    }
    if (argument.starts_with("ignore=")) {
      sim.ignored = arguments[i] + 7;
      continue;
    }
    const auto* const found = std::find_if(kMutants.begin(), kMutants.end(), [&](const auto& entry) {
      return argument.starts_with("mutant=") && argument.substr(7) == entry.first;
    });
    if (found == kMutants.end()) Simulation::die("no such argument or mutant");
    sim.mutant = found->second;
  }
  bounds.reuse = reuse != 0;
  bounds.collide = collide != 0;
  bounds.warm = warm != 0;
  bounds.counts = counts != 0;
  if (bounds.readers + bounds.waiters + 1 > kActors || bounds.slots > kSlots)
    Simulation::die("out of bounds");

  static State initial{};
  World& world = initial.world;
  world.publishes = static_cast<std::uint8_t>(bounds.publishes);
  world.crashes = static_cast<std::uint8_t>(bounds.crashes);
  world.vacates = static_cast<std::uint8_t>(bounds.vacates);
  world.aborts = static_cast<std::uint8_t>(bounds.aborts);
  world.destroys = static_cast<std::uint8_t>(bounds.destroys);
  world.sweeps = static_cast<std::uint8_t>(bounds.sweeps);
  // A store that was created, its writer at rest, its readers attached.
  world.stores = world.statePath = world.announced[1] = 1;
  if (bounds.warm) {
    for (std::uint8_t number = 1; number <= 2; ++number) {
      const std::uint8_t slot = number - 1;
      world.files[number] = File{1, slot, 1, number, checksumOf(number), {number, number}, 0};
      world.path[slot] = world.published[1][number] = world.blockNumber[1] = world.newest[1] = number;
      world.named[1][slot] = 1 << 1;
      world.words[1].slots[slot] = SlotWord(1, 0).raw();
      world.words[1].version = VersionWord(slot, 1, checksumOf(number)).raw();
      world.words[1].sequence = world.attempts = number;
    }
  }
  initial.actorCount = static_cast<std::uint8_t>(1 + bounds.readers + bounds.waiters);
  for (unsigned index = 0; index < initial.actorCount; ++index) {
    Actor& actor = initial.actors[index];
    actor.kind = index == 0 ? Kind::writer : index <= bounds.readers ? Kind::reader : Kind::waiter;
    actor.base.store = 1;
    actor.base.active = kNoSlot;
    actor.base.remembered = kNever;
    if (bounds.warm && actor.kind == Kind::writer) {
      actor.base.regions = {Mapped{1, 1}, Mapped{2, 1}, Mapped{}};
      actor.base.publishNumber = 2;
      actor.base.active = 1;
    }
    actor.now = actor.base;
  }

  const auto startedAt = std::chrono::steady_clock::now();
  Search search(sim, limit);
  const bool isComplete = search.run(initial);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - startedAt;
  std::printf(
      "{\"violated\":\"%s\",\"why\":\"%s\",\"isComplete\":%s,\"states\":%zu,\"steps\":%zu,\"depth\":%zu,"
      "\"seconds\":%.2f}\n",
      sim.violated != nullptr ? sim.violated : "", sim.explanation != nullptr ? sim.explanation : "",
      isComplete ? "true" : "false", search.states(), search.steps, search.deepest, seconds.count());
  if (sim.violated != nullptr) search.print();
}
