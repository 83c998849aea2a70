/* Destroy and create anew under the same paths, while a reader is attached to the old store: destroy() by a writer that may die at
 * any step, or (SWEPT) a dead writer whose files somebody deleted, without a tombstone.
 *
 * A store here is a state file with its words; stores 1, 2, ... stand for random store ids. The second store starts with all words 0,
 * so that its incarnations and publish numbers are those of the first once more, and may find the first one's regions at the paths.
 *
 * Labels and invariants: docs/protocol.md; the writer's steps and its death are explained in handshake.pml.
 */
#ifndef PUBLISHES             /* of each store */
#define PUBLISHES 2
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#define STORES  2
#define SLOTS   2
#define REGIONS (STORES * PUBLISHES + DEATHS + 2)
#define NEVER   255

#include "words.pml"

typedef StateFile { byte version; byte sequence; byte word[SLOTS]; byte newest; byte published[PUBLISHES + 1]; bool announced };
StateFile state[STORES + 1];
byte statePath;               /* the store that the path of the state file leads to; 0: no file */
byte stores;                  /* created so far */

typedef Region { byte store; byte incarnation; byte number; byte payload };
Region region[REGIONS];
byte path[SLOTS];
byte regions;
byte deaths;

chan kill = [0] of { bit };

proctype Death() {
end1: kill!1;
#if DEATHS > 1
end2: kill!1
#endif
}

#ifdef M_NO_STORE_ID
#define ours(r, store_) true
#else
#define ours(r, store_) (region[r].store == store_)
#endif
#define active  (state[e].version == 0 -> NEVER : SLOT(state[e].version))
#define agrees  (path[s] != 0 && ours(path[s], e) && region[path[s]].incarnation == INCARNATION(state[e].word[s]))
#define highest MAX((path[s] != 0 && ours(path[s], e) -> region[path[s]].incarnation : 0), INCARNATION(state[e].word[s]))

proctype Writer() {
  byte e, n, s, r, payload, incarnation;
open: {
    if
    :: statePath == 0 ->                                        /* create: initialised, then linked */
       if :: stores == STORES -> goto done :: else fi;
       atomic { stores++; e = stores; state[e].announced = true; statePath = e; n = 1 }
    :: else ->
       e = statePath; n = 1;
T1:    if
#ifndef M_TOMBSTONE_OVERLOOKED
       :: state[e].version == TOMBSTONE -> goto buried          /* a predecessor died in destroy(): finish it */
#endif
       :: state[e].version == 0
       :: state[e].version != 0 && state[e].version != TOMBSTONE -> n = region[path[SLOT(state[e].version)]].number + 1
#ifdef M_TOMBSTONE_OVERLOOKED
       :: state[e].version == TOMBSTONE
#endif
       fi;
T2:    atomic { state[e].sequence++; state[e].announced = true }
    fi;
    do
    :: n > PUBLISHES -> break
    :: n <= PUBLISHES ->
W1:    atomic {
         if :: s = 0 :: s = 1 fi;
         if
         :: s == active -> goto next
         :: s != active && agrees && COUNT(state[e].word[s]) == 0 -> r = path[s]; payload = n + e * 4 + deaths * 16
         :: s != active -> goto replace
         fi
       };
       region[r].number = 0;
       region[r].payload = payload;
       region[r].number = n;
       goto publish;
replace:
       atomic {
         payload = n + e * 4 + deaths * 16; incarnation = highest + 1;
         regions++; r = regions;
         region[r].store = e; region[r].incarnation = incarnation; region[r].payload = payload; region[r].number = n;
         path[s] = r
       };
W2:    state[e].word[s] = WORD(incarnation, 0);
publish:
W3:    atomic {
         assert(n == state[e].newest + 1);                                                                          /* I6 */
         state[e].version = VERSION(s, payload); state[e].newest = n; state[e].published[n] = payload;
         state[e].announced = false
       };
W4:    atomic { state[e].sequence++; state[e].announced = true; n++ };
next:  atomic { s = 0; r = 0; payload = 0; incarnation = 0 }
    od;
    if
    :: e == STORES -> goto done                                 /* the last store lives on */
    :: else
    fi;
#ifndef SWEPT
#ifdef M_UNLINKED_FIRST
    statePath = 0;
#endif
D1: atomic { state[e].version = TOMBSTONE; state[e].announced = false };
#endif
buried:
#ifndef SWEPT
D2: atomic { state[e].sequence++; state[e].announced = true };  /* and wake */
#endif
    statePath = 0;
#ifdef SWEPT
    if :: path[0] = 0 :: skip fi;
#else
    path[0] = 0;
#endif
    path[1] = 0;
    atomic { e = 0; n = 0; goto open }
  } unless {
    atomic { kill?_ -> deaths++; e = 0; n = 0; s = 0; r = 0; payload = 0; incarnation = 0 };
    goto open
  }
done:
  skip
}

inline unpin() {
  d_step {
    if
    :: INCARNATION(state[e].word[s]) == INCARNATION(pin) && COUNT(state[e].word[s]) > 0 -> state[e].word[s] = state[e].word[s] - 1
    :: else
    fi
  }
}

#define heldIsWhole \
  (region[held].number == heldNumber && region[held].payload == state[region[held].store].published[heldNumber])

proctype Reader() {
  byte e, remembered = NEVER, have;
  byte mapped[SLOTS];
  byte held, heldNumber;                        /* kept pinned until the reader attaches to another store, and then for ever */
  byte seq, v, s, pin, number;
end:
  do
  :: held != 0 -> assert(heldIsWhole)                                                                               /* I1 */
  :: e == 0 -> atomic { statePath != 0 -> e = statePath }       /* open */
  :: e != 0 ->
R1:  atomic {
       seq = state[e].sequence;
       if
       :: seq == remembered ->
#ifndef SWEPT
          assert(stores == e && state[e].version != TOMBSTONE || !state[e].announced);                             /* I10 */
          assert(have == state[e].newest || !state[e].announced);                                                   /* I3 */
#endif
          goto again
       :: else
       fi
     };
R2:  atomic {
       v = state[e].version;
       if
       :: v == 0 -> remembered = seq; goto again
       :: v != 0 && v != TOMBSTONE -> s = SLOT(v)
       :: v == TOMBSTONE -> goto attach
       fi
     };
R3:  if
     :: mapped[s] == 0 || region[mapped[s]].incarnation != INCARNATION(state[e].word[s]) ->
        mapped[s] = path[s];
        if
        :: mapped[s] == 0 -> goto again
        :: else -> if :: ours(mapped[s], e) :: else -> mapped[s] = 0; goto again fi
        fi
     :: else
     fi;
R4:  d_step { pin = state[e].word[s]; state[e].word[s] = state[e].word[s] + 1 };
R5:  if
     :: state[e].version != v || region[mapped[s]].incarnation != INCARNATION(pin) -> mapped[s] = 0; unpin(); goto again
     :: else
     fi;
R6:  if
     :: INCARNATION(state[e].word[s]) != INCARNATION(pin) -> mapped[s] = 0; unpin(); goto again
     :: else
     fi;
     number = region[mapped[s]].number;
     atomic {
       assert(number != 0 && region[mapped[s]].payload == state[e].published[number]);                              /* I1 */
       assert(number >= have);                                                                                      /* I2 */
       have = number; remembered = seq
     };
     if
     :: unpin()
     :: held == 0 -> atomic { held = mapped[s]; heldNumber = number }
     fi;
     goto again;

attach:                                                         /* by path; it may still lead to the tombstone */
     atomic {
       if
       :: statePath != 0 && statePath != e ->
          e = statePath;
#ifndef M_SEQUENCE_KEPT
          remembered = NEVER;
#endif
#ifndef M_NUMBER_KEPT
          have = 0;
#endif
#ifndef M_MAPPINGS_KEPT
          mapped[0] = 0; mapped[1] = 0
#endif
       :: else
       fi
     };
again:
     atomic { seq = 0; v = 0; s = 0; pin = 0; number = 0 }
  od
}

init {
  atomic {
    run Writer();
#if DEATHS > 0
    run Death();
#endif
    run Reader()
  }
}
