/**
 * The shared map of an image: where each guest byte of a backing chain lives on the host.
 *
 * <p><b>What it owns.</b> The L1 table, whole in memory ({@link dev.cowherd.metadata.ImageMap}); L2 tables by slices of 4 KiB, within a
 * budget of bytes that all layers of a chain share ({@link dev.cowherd.metadata.SliceCache}); and the walk down the chain, one
 * {@link dev.cowherd.metadata.ChainLookup} a queue, which answers with {@linkplain dev.cowherd.metadata.Extent extents}. It reads
 * tables, never guest bytes, and it knows nothing of requests, files' names or who may open them.
 *
 * <p><b>Look-ups take no lock.</b> An index of two levels, pages of slots, finds a slice by its number in a few dependent loads;
 * words, slots and pages are read with acquire semantics and published with release semantics. A hit writes nothing that
 * queues share, but for a slice's "used" flag where the clock's hand cleared it. A miss is loaded once: the first queue puts a
 * load into the slot and reads by its own handle with no lock held; queues that need that slice wait for that load, and nobody
 * else waits. A failed load leaves the slot empty and its error reaches everyone who waited; the next look-up tries again. A
 * slice that is evicted under a look-up stays right for it; no look-up keeps one after it has answered.
 *
 * <p><b>Locks</b>, in this order, none of them held over I/O: the cache's monitor (after a load, to admit the slice and let others
 * go), a slice's monitor (to change it), then an index page's monitor (to fill and empty slots), the list of what is dirty, or the
 * allocator's mutex. A hit takes none of them.
 *
 * <p><b>Memory</b> follows what the file holds, never what it claims: L1 must lie within the file and only as much of it as the disk's
 * size needs is loaded; the index has at most one reference for each L1 entry and pages only where slices are.
 *
 * <p><b>Trust.</b> An entry is judged each time a look-up decodes it: reserved bits, alignment, the file's end, overlap with the
 * header, the L1 and refcount tables, the snapshot table and its own L2 table, contradictions of subclusters. The error names the
 * entry, its place and its value, and stops only who needs it. A cluster may start anywhere up to the file's end, as in QEMU's
 * check: what the file does not hold of its last cluster reads as zeros. Reading accepts what QEMU's reading accepts, except
 * where its check calls the entry corrupt. That an entry points at another L2 table or at a refcount block is left to the check,
 * which looks at the whole image.
 *
 * <p><b>Writing</b> ({@link dev.cowherd.metadata.WritableImage}) changes the map in two steps: prepare says where bytes go, the queue moves
 * them, commit publishes. Slices change under their own monitor; clusters come from an allocator behind one short mutex without
 * I/O; what entries let go of waits at a gate until it is durable, unknown to every request, and punched; and one procedure writes
 * all of it, in one order. An entry that a write relies on is judged like one that a look-up decodes, and nothing is written where
 * {@link dev.cowherd.metadata.MetadataPlaces} knows of a structure of another kind. Persistent bitmaps hear of every change before it is
 * made, and are on disk again when the image is closed.
 */
@NullMarked
package dev.cowherd.metadata;

import org.jspecify.annotations.NullMarked;
