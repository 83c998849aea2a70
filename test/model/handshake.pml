/* The handshake of one writer and its readers: publish, replace, drop, loan, give up, death and takeover; adopt, hold, copy out, unpin.
 *
 * One step is one access to shared memory or one system call, together with what its process concludes from it; any process
 * may take the next step. A killed or stopped reader is one that takes no further step, so every run of the others beside it is
 * explored. The writer dies between any two of its steps and a successor takes over, at once or later. Which slot is
 * taken, whether a free one is rewritten or replaced, when a snapshot is let go: this is policy and left open.
 *
 * Labels and invariants: docs/protocol.md. Mutants M_… must be caught, variants H_… must not matter: check.ts runs them.
 */
#ifndef READERS
#define READERS 1
#endif
#ifndef VISITORS
#define VISITORS 0
#endif
#ifndef PUBLISHES
#define PUBLISHES 3
#endif
#ifndef DEATHS                /* of the writer */
#define DEATHS 0
#endif
#ifndef DROPS
#define DROPS 0
#endif
#ifndef ABORTS
#define ABORTS 0
#endif
#ifndef LOANS                 /* claims that stay open while other versions are published, to be completed later */
#define LOANS 0
#endif
#ifdef THREE_SLOTS
#define SLOTS   3
#define ANY_SLOT :: s = 0 :: s = 1 :: s = 2
#else
#define SLOTS   2
#define ANY_SLOT :: s = 0 :: s = 1
#endif
#define REGIONS (PUBLISHES + DEATHS + ABORTS + 2)
#define NEVER   255

#include "words.pml"

/* The state region. */
byte version;                 /* 0: nothing published */
byte sequence;
byte word[SLOTS];

/* The files. Region 0 is no region. Its identity, the incarnation, is written once, before the region has a name; publish number
 * and payload change in place, one after the other: enough for a tear to show. */
typedef Region { byte incarnation; byte number; byte payload };
Region region[REGIONS];
byte path[SLOTS];             /* the region that the path of a slot leads to; 0: no file */
byte regions;                 /* made so far */

/* BYTES_ONLY: no invariant but those that a user can see, I1 to I3. Shows what an inner one, once broken, leads to. */
#ifdef BYTES_ONLY
#define inner(condition) true
#else
#define inner(condition) (condition)
#endif

/* Ghosts: what the invariants speak of; no process decides by them. */
byte published[PUBLISHES + 2];/* publish number -> payload */
byte newest;                  /* the newest publish number */
bool announced = true;        /* false from W3 to W4, and when the writer died in between to its successor's T2 */
byte holders[SLOTS];          /* pins of the slot's incarnation that nobody gave back, those of the dead included */
bool named[SLOTS * 16];       /* incarnations that have had a name, by slot */

byte deaths, drops, aborts, loans;

/* ------------------------------------------------------------------------------------------------------------ the writer */

chan kill = [0] of { bit };

/* Kills the writer, at any moment. */
proctype Death() {
end1: kill!1;
#if DEATHS > 1
end2: kill!1;
#endif
#if DEATHS > 2
end3: kill!1
#endif
}

#if LOANS > 0
#define unavailable (s == active || s == lent)
#define RETURNED    ; lent = NEVER
#else
#define unavailable (s == active)
#define RETURNED
#endif
#define active (version == 0 -> NEVER : SLOT(version))
#define agrees (path[s] != 0 && region[path[s]].incarnation == INCARNATION(word[s]))
#ifdef M_NO_MAXIMUM
#define highest INCARNATION(word[s])
#else
#define highest MAX((path[s] != 0 -> region[path[s]].incarnation : 0), INCARNATION(word[s]))
#endif
#define fresh  (n + (deaths + aborts) * 8)       /* a payload that no other attempt to encode has */

#if defined(M_NOT_COUNTED)
#define claimable agrees
#elif defined(M_SUSPECT_TRUSTED)
#define claimable (path[s] != 0 && COUNT(word[s]) == 0)
#elif defined(M_COUNTED_EARLY)
#define claimable (agrees && early[s])
#else
#define claimable (agrees && COUNT(word[s]) == 0)
#endif

/* One store of a slot word, whose incarnation only rises. */
inline storeWord() {
  d_step {
    assert(inner(incarnation > INCARNATION(word[s])));          /* I8 */
#ifdef M_COUNT_KEPT
    word[s] = WORD(incarnation, COUNT(word[s]));
#else
    word[s] = WORD(incarnation, 0);
#endif
    holders[s] = 0
  }
}

inline nameRegion() {
  assert(inner(!named[s * 16 + incarnation]));                  /* I8: an incarnation names one region of its slot, for ever */
  named[s * 16 + incarnation] = true;
  path[s] = r
}
inline makeRegion() {
  regions++; r = regions;
  incarnation = highest + 1;
  assert(incarnation < 16 && r < REGIONS);                      /* bounds of the model */
  region[r].incarnation = incarnation
}
inline encode() { region[r].payload = payload; region[r].number = n }

inline storeVersion() {
  d_step {
    assert(inner(n == newest + 1));                             /* I6: unique, rising by one, whoever writes */
    assert(inner(region[r].number == n && region[r].payload == payload && path[s] == r && agrees && s != active)); /* I7 */
    version = VERSION(s, payload);
    newest = n; published[n] = payload;
    announced = false
  }
}

proctype Writer() {
  byte n, s, r, payload, incarnation;
#if LOANS > 0
  byte lent = NEVER;
#endif
#ifdef M_COUNTED_EARLY
  bool early[SLOTS];
#endif
  goto open;

takeover:
  skip;
T2: atomic {
#ifndef M_NOT_REANNOUNCED
      sequence++;
#endif
      announced = true
    };
open: {
    n = 1;
T1: if
    :: version == 0
#ifndef M_NUMBER_RESTARTED
    :: else -> n = region[path[SLOT(version)]].number + 1
#else
    :: else
#endif
    fi;
    do
    :: n > PUBLISHES -> break

    :: drops < DROPS ->                                         /* drop a region that is not the active one */
       atomic {
         if ANY_SLOT fi;
         if
         :: unavailable || path[s] == 0 -> goto next
         :: else -> drops++; incarnation = highest + 1
         fi
       };
#ifdef M_UNLINKED_FIRST
       path[s] = 0;
       incarnation = INCARNATION(word[s]) + 1;
       storeWord();
#else
W7:    storeWord();
       path[s] = 0;                                             /* unlink */
#endif
       goto next

#if LOANS > 0
    :: n <= PUBLISHES && lent != NEVER -> atomic { s = lent; lent = NEVER; r = path[s]; payload = fresh; goto rewrite }
#endif

    :: n <= PUBLISHES ->
#ifdef M_WAITS_FOR_READERS
       if ANY_SLOT fi;
       s != active && COUNT(word[s]) == 0;
#endif
W1:    atomic {
         if ANY_SLOT fi;
         if
         :: unavailable -> goto next
#ifdef M_COUNTED_LATE
         :: !unavailable && agrees ->
#else
         :: !unavailable && claimable ->                        /* in place: claim, … */
#endif
            r = path[s]; payload = fresh
         :: !unavailable -> goto replace
         fi
       };
#ifndef H_NUMBER_NOT_CLEARED
       region[r].number = 0;
#endif
#if LOANS > 0
       if
       :: loans < LOANS -> atomic { loans++; lent = s; goto next }
       :: true
       fi;
rewrite:
#endif
       region[r].payload = payload;                             /* … encode, … */
#ifdef M_COUNTED_LATE
       if :: COUNT(word[s]) != 0 -> goto next :: else fi;
#endif
       if
       :: aborts < ABORTS -> aborts++; goto next                /* (or give up: the value cannot be encoded) */
       :: true -> region[r].number = n                          /* … complete the header */
       fi;
       goto publish;

replace:                                                        /* a complete new file, renamed over the path */
       atomic { payload = fresh; makeRegion();
#if defined(H_NAMED_FIRST)
         nameRegion()
       };
       region[r].payload = payload;
       region[r].number = n;
#elif defined(H_WORD_FIRST)
         encode()
       };
       storeWord();
       atomic { nameRegion(); goto publish };
#else
         encode(); nameRegion()
       };
#endif
#ifdef M_WORD_AFTER_VERSION
       d_step { version = VERSION(s, payload); newest = n; published[n] = payload; announced = false };
       storeWord();
       goto announce;
#endif
W2:    storeWord();

publish:
#ifdef M_COUNTED_EARLY
       atomic { early[s] = false; if :: version != 0 -> early[active] = (COUNT(word[active]) == 0) :: else fi };
#endif
#ifdef M_SEQUENCE_FIRST
       sequence++;
       storeVersion();
       atomic { announced = true; n++ };
#else
W3:    storeVersion();
announce:
W4:    atomic { sequence++; announced = true; n++ };
#endif
next:  atomic { s = 0; r = 0; payload = 0; incarnation = 0 }
    od;
    n = 0
  } unless {
    atomic { kill?_ -> deaths++; n = 0; s = 0; r = 0; payload = 0; incarnation = 0 RETURNED };
    goto takeover
  }
}

/* ----------------------------------------------------------------------------------------------------------- the readers */

/* U1, U2: load and compare-exchange; a failed exchange loads again, so both are one step here. */
inline unpin(slot, pinned) {
  d_step {
    if
#ifndef M_UNPINNED_BLINDLY
    :: INCARNATION(word[slot]) == INCARNATION(pinned) && COUNT(word[slot]) > 0 ->
#else
    :: true ->
#endif
       assert(inner(holders[slot] > 0));                         /* I4: nobody gives back what is not there */
       word[slot] = word[slot] - 1;
       holders[slot] = holders[slot] - 1
    :: else
    fi
  }
}
inline pinSlot() {
  pin = word[s]; word[s] = word[s] + 1; holders[s] = holders[s] + 1;
  assert(inner(holders[s] == COUNT(word[s])))                   /* I4 */
}

/* I1: one version, published under its number, not a byte of another. */
#define heldIsWhole (region[held].number == heldNumber && region[held].payload == published[heldNumber])

#ifdef PRIVATE_PAGES                                             /* locked memory: pages are copied when they are mapped */
#define copyPages() copyNumber[s] = region[mapped[s]].number; copyPayload[s] = region[mapped[s]].payload
#define numberRead  copyNumber[s]
#define payloadRead copyPayload[s]
#else
#define copyPages() skip
#define numberRead  region[mapped[s]].number
#define payloadRead region[mapped[s]].payload
#endif

/* A visitor keeps nothing from one adoption to the next: any number of short-lived readers, one after the other. */
proctype Reader(bool visitor) {
  byte remembered = NEVER, have;     /* the sequence of the fast path; the publish number this reader has */
  byte mapped[SLOTS];                /* the region mapped last, by slot; 0: none */
  byte held, heldSlot, heldPin, heldNumber;
  byte seq, v, s, pin, number;
#ifdef PRIVATE_PAGES
  byte copyNumber[SLOTS], copyPayload[SLOTS];
#endif

end:
  do
  :: held != 0 ->                                               /* release the held snapshot: it is as it was */
     assert(heldIsWhole);                                       /* I1 */
     unpin(heldSlot, heldPin);
     atomic { held = 0; heldSlot = 0; heldPin = 0; heldNumber = 0 }

  :: true ->
R1:  atomic {
       if :: !visitor -> seq = sequence :: else fi;
       if
       :: seq == remembered && !visitor -> assert(!announced || have == newest); goto again                         /* I3 */
       :: else
       fi
     };
R2:  atomic { v = version; if :: v == 0 -> remembered = seq; goto again :: else -> s = SLOT(v) fi };
#ifdef H_PINNED_FIRST
     d_step { pinSlot() };
#endif
R3:  if                                                         /* the hint, then open, map and compare */
     :: mapped[s] == 0 || region[mapped[s]].incarnation != INCARNATION(word[s]) -> d_step { mapped[s] = path[s]; copyPages() }
     :: else
     fi;
#ifndef H_PINNED_FIRST
     if
     :: mapped[s] == 0 -> assert(inner(version != v)); goto again /* I9: no file, so the version has moved on */
     :: else
     fi;
R4:  d_step { pinSlot() };
#endif
R5:  if
#ifndef M_NOT_RECHECKED
     :: version != v -> goto let
     :: else
#else
     :: true
#endif
     fi;
#ifndef M_PIN_NOT_COMPARED
     if
     :: mapped[s] == 0 || region[mapped[s]].incarnation != INCARNATION(pin) ->
#if !defined(COLLIDE) && !defined(M_NOT_RECHECKED)
        assert(inner(false));                                   /* I9: the same version, the same incarnation */
#endif
        mapped[s] = 0; goto let
     :: else
     fi;
#endif
#ifndef M_WORD_NOT_RECHECKED
R6:  if
     :: INCARNATION(word[s]) != INCARNATION(pin) -> goto let
     :: else
     fi;
#endif
#ifndef M_NOT_REFRESHED
     d_step { copyPages() };                                    /* drop the private pages */
#endif
     number = numberRead;
     atomic {
       assert(number != 0 && payloadRead == published[number]);                                                     /* I1 */
       assert(number >= have);                                                                                      /* I2 */
       have = number;
#ifdef M_REMEMBERED_LATE
       seq = sequence;
#endif
       remembered = seq
     };
     if
     :: goto let                                                /* copied out, unpin at once */
     :: held == 0 && !visitor -> atomic { held = mapped[s]; heldSlot = s; heldPin = pin; heldNumber = number; goto again }
     :: held != 0 ->                                            /* hold the new one, let the old one go */
        assert(heldIsWhole);                                    /* I1 */
        unpin(heldSlot, heldPin);
        atomic { held = mapped[s]; heldSlot = s; heldPin = pin; heldNumber = number; goto again }
     :: held != 0 -> break                                      /* killed with two pins: they stay counted */
     fi;
let: unpin(s, pin);
again:
     atomic {
       seq = 0; v = 0; s = 0; pin = 0; number = 0;
       if :: visitor -> remembered = NEVER; have = 0; mapped[0] = 0; mapped[1] = 0 :: else fi
     }
  od
}

init {
  atomic {
    run Writer();
#if DEATHS > 0
    run Death();
#endif
    run Reader(false);
#if READERS > 1
    run Reader(false);
#endif
#if VISITORS > 0
    run Reader(true)
#endif
  }
}
