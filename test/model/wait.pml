/* Waiting: a waiter sleeps on `sequence` until something newer is published; a publish that nobody waits for makes no system call.
 *
 * I11: nobody sleeps through a publish. Whenever no process can take a step, whoever sleeps has the newest.
 *
 * Labels and invariants: docs/protocol.md; the writer's death is explained in handshake.pml.
 */
#ifndef PUBLISHES
#define PUBLISHES 3
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef WAITERS
#define WAITERS 2
#endif

byte sequence;
byte waiters;                 /* the flag */
byte seen[WAITERS];           /* the sequence under which this waiter has adopted */
bool asleep[WAITERS];

chan kill = [0] of { bit };

proctype Death() {
end1: kill!1;
#if DEATHS > 1
end2: kill!1
#endif
}

#if WAITERS > 2
#define upToDate (seen[0] == sequence && seen[1] == sequence && seen[2] == sequence)
inline wakeAll() { d_step { asleep[0] = false; asleep[1] = false; asleep[2] = false } }
#else
#define upToDate (seen[0] == sequence && seen[1] == sequence)
inline wakeAll() { d_step { asleep[0] = false; asleep[1] = false } }
#endif

proctype Writer() {
  byte n; bool raised;
  goto open;

takeover:
  skip;
T2: sequence++;
#ifndef M_TAKEOVER_SILENT
  wakeAll();
#endif
open: {
    do
    :: n == PUBLISHES -> break
    :: n < PUBLISHES ->
       n++;                                     /* W1 to W3 */
       raised = false;
#if defined(READ_ONLY)
       raised = true;                           /* nobody can raise the flag: always wake */
#elif defined(M_CLEARED_AFTER)
       skip;
#else
W5:    if
       :: waiters != 0 ->
          raised = true;
#ifndef H_NEVER_CLEARED
W6:       waiters = 0
#endif
       :: else
       fi;
#endif
W4:    sequence++;
#if defined(M_CLEARED_AFTER)
       if :: waiters != 0 -> waiters = 0; raised = true :: else fi;
#elif !defined(M_NOT_LOOKED_AGAIN) && !defined(READ_ONLY)
W8:    if :: waiters != 0 -> raised = true :: else fi;
#endif
       if :: raised -> wakeAll() :: else fi
    od
  } unless { atomic { kill?_ -> raised = false }; goto takeover }
}

proctype Waiter(byte me) {
  byte expected;
end:
  do
  :: seen[me] = sequence;                       /* R1, and adopts */
     expected = seen[me];
#if !defined(READ_ONLY) && !defined(M_FLAG_NOT_RAISED)
V1:  waiters = 1;
#endif
#ifdef M_EXPECTED_LATE
     expected = sequence;
#endif
#ifdef M_SLEPT_ON_FLAG
     if :: sequence != expected -> goto again :: else fi;
V2:  atomic { if :: waiters == 1 -> asleep[me] = true :: else -> goto again fi };
#else
V2:  atomic { if :: sequence == expected -> asleep[me] = true :: else -> goto again fi };  /* futex: compares and sleeps at once */
#endif
endAsleep:
     !asleep[me];
again: skip
  od
}

proctype Idle() {
end:
  timeout -> assert(upToDate)                               /* I11 */
}

init {
  atomic {
    run Writer();
#if DEATHS > 0
    run Death();
#endif
    run Waiter(0); run Waiter(1);
#if WAITERS > 2
    run Waiter(2);
#endif
    run Idle()
  }
}
