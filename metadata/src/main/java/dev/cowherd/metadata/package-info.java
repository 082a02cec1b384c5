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
 * go), then an index page's monitor (to fill and empty slots). A hit takes neither.
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
 * <p><b>What comes with writes.</b> The map is read-only now. The places they will need: {@code Slice} changes its words under its own
 * lock and, for the two words of an extended entry, a sequence that look-ups compare before and after; each queue publishes the
 * epoch of its oldest request around {@link dev.cowherd.metadata.ChainLookup}'s answers, so that freed clusters are not reused under
 * it; dirty slices are pinned in the clock until the flush order has written them.
 */
@NullMarked
package dev.cowherd.metadata;

import org.jspecify.annotations.NullMarked;
