/* The words of the state region, small enough to be explored. Included by every model of this folder.
 *
 *   version word   slot + 1 (2 bits) · stamp; 0: nothing published; TOMBSTONE: destroyed
 *                  The stamp stands for payload size · truncated checksum. It is fresh for every attempt to encode, so that a
 *                  version word never comes back. Under COLLIDE it is left out: all checksums of a slot are equal.
 *   slot word      incarnation (high) · reader count (low 4 bits)
 */
#define TOMBSTONE 255
#ifdef COLLIDE
#define VERSION(slot, stamp)     ((slot) + 1)
#else
#define VERSION(slot, stamp)     ((stamp) * 4 + (slot) + 1)
#endif
#define SLOT(version)            (((version) & 3) - 1)

#define WORD(incarnation, count) ((incarnation) * 16 + (count))
#define INCARNATION(word)        ((word) / 16)
#define COUNT(word)              ((word) & 15)

#define MAX(a, b)                ((a) > (b) -> (a) : (b))
