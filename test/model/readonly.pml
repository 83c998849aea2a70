/* reuse: false. Every publish replaces; readers have no write permission: they neither pin nor unpin, and read what they mapped for as
 * long as they like. A region never changes once it has a name, so all there is to get wrong is which region was mapped.
 *
 * Labels and invariants: docs/protocol.md; the writer's steps and its death are explained in handshake.pml.
 */
#ifndef READERS
#define READERS 1              /* they write nothing, so that more of them show nothing more */
#endif
#ifndef PUBLISHES
#define PUBLISHES 3
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#define SLOTS   2
#define REGIONS (PUBLISHES + DEATHS + 2)
#define NEVER   255

#include "words.pml"

byte version;
byte sequence;
byte word[SLOTS];             /* the count stays 0 */

typedef Region { byte incarnation; byte number; byte payload };
Region region[REGIONS];
byte path[SLOTS];
byte regions;

byte published[PUBLISHES + 2], newest;
bool announced = true;
byte deaths;

chan kill = [0] of { bit };

proctype Death() {
end1: kill!1;
#if DEATHS > 1
end2: kill!1
#endif
}

#define active  (version == 0 -> NEVER : SLOT(version))
#define agrees  (path[s] != 0 && region[path[s]].incarnation == INCARNATION(word[s]))
#define highest MAX((path[s] != 0 -> region[path[s]].incarnation : 0), INCARNATION(word[s]))

proctype Writer() {
  byte n, s, r, payload, incarnation;
  goto open;

takeover:
  skip;
T2: atomic { sequence++; announced = true };
open: {
    n = 1;
T1: if
    :: version == 0
    :: else -> n = region[path[SLOT(version)]].number + 1
    fi;
    do
    :: n > PUBLISHES -> break
    :: n <= PUBLISHES ->
       atomic {
         if :: s = 0 :: s = 1 fi;
         if
         :: s == active -> goto next
         :: else -> payload = n + deaths * 8
         fi;
#ifdef M_REUSE_CHANGED
         if
         :: deaths > 0 && agrees && COUNT(word[s]) == 0 -> r = path[s]
         :: else -> goto replace
         fi
       };
       region[r].number = 0;
       region[r].payload = payload;
       region[r].number = n;
       goto publish;
replace:
       atomic {
#endif
         incarnation = highest + 1;
         regions++; r = regions;
         region[r].incarnation = incarnation;
#ifndef H_NAMED_FIRST
         region[r].payload = payload; region[r].number = n;
#endif
         path[s] = r
       };
#ifdef H_NAMED_FIRST
       region[r].payload = payload;
       region[r].number = n;
#endif
W2:    word[s] = WORD(incarnation, 0);
publish:
W3:    atomic {
         assert(n == newest + 1);                               /* I6 */
         assert(region[r].number == n && path[s] == r && agrees && s != active);                                    /* I7 */
         version = VERSION(s, payload); newest = n; published[n] = payload;
         announced = false
       };
W4:    atomic { sequence++; announced = true; n++ };
next:  atomic { s = 0; r = 0; payload = 0; incarnation = 0 }
    od;
    n = 0
  } unless {
    atomic { kill?_ -> deaths++; n = 0; s = 0; r = 0; payload = 0; incarnation = 0 };
    goto takeover
  }
}

proctype Reader() {
  byte remembered = NEVER, have, held;          /* held: the region that current() reads from */
  byte seq, v, s, r, number;
end:
  do
  :: held != 0 -> assert(region[held].number == have && region[held].payload == published[have])                     /* I1 */
  :: true ->
R1:  atomic {
       seq = sequence;
       if
       :: seq == remembered -> assert(!announced || have == newest); goto again                                     /* I3 */
       :: else
       fi
     };
R2:  atomic { v = version; if :: v == 0 -> remembered = seq; goto again :: else -> s = SLOT(v) fi };
     r = path[s];                                               /* open, map, compare */
R5:  if
#ifndef M_NOT_RECHECKED
     :: version != v -> goto again
     :: else
#else
     :: true
#endif
     fi;
#ifndef M_WORD_NOT_RECHECKED
R6:  if
     :: region[r].incarnation != INCARNATION(word[s]) -> goto again
     :: else
     fi;
#endif
     number = region[r].number;
     atomic {
       assert(number != 0 && region[r].payload == published[number]);                                               /* I1 */
       assert(number >= have);                                                                                      /* I2 */
       have = number; held = r;
#ifdef M_REMEMBERED_LATE
       seq = sequence;
#endif
       remembered = seq
     };
again:
     atomic { seq = 0; v = 0; s = 0; r = 0; number = 0 }
  od
}

init {
  atomic {
    run Writer();
#if DEATHS > 0
    run Death();
#endif
    run Reader();
#if READERS > 1
    run Reader()
#endif
  }
}
