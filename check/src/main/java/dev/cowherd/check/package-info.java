/**
 * Checks images by itself, and repairs them, on format and storage only: a second opinion that shares no mapping code.
 *
 * <p>{@link dev.cowherd.check.ImageCheck} counts every reference that the image's own structures make to each cluster of its
 * file, compares the counts with the refcounts in the file, and judges every entry it passes. It reports the numbers that
 * {@code qemu-img check} reports, and the same lines.
 *
 * <p>How it works, in three stages:
 *
 * <ol>
 *   <li>One thread walks the small structures: header, L1 tables, snapshot table, refcount table, bitmaps. Equal L2 tables of
 *       several L1 tables are found once, with the number of references to them.
 *   <li>All cores scan the L2 tables. The scan knows only entries with nothing to say about them; at the first other entry it
 *       leaves the rest of that table to one thread, which says it in words, in the order of the tables.
 *   <li>All cores compare counts with refcount blocks; again, one thread puts the differences into words.
 * </ol>
 *
 * <p>Where it differs from {@code qemu-img check}, on purpose:
 *
 * <ul>
 *   <li>No backing file and no data file is opened, so an image whose others are missing can be checked.
 *   <li>A fault in an L2 table that several L1 tables share counts once for each of them, as in QEMU, but its line is said
 *       once. Lines about L1 tables come before those about L2 tables.
 *   <li>An active L1 table that is not wholly in the file is refused, as every open of such an image is; QEMU's check reads
 *       zeros for what is missing.
 *   <li>An image whose structures overlap so that the work would exceed the file's size, or whose counts exceed the memory
 *       set aside, is refused.
 * </ul>
 *
 * <p>{@link dev.cowherd.check.ImageRepair} goes on where the check ends: what the check counted is right by definition, so
 * refcounts and the flags that follow from them are brought in line with it. Its order, each step durable before the next:
 *
 * <ol>
 *   <li>Entries without data that point at no cluster read as zeros without one.
 *   <li>Refcounts that are too low are raised, then those that are too high are lowered. Where a cluster in use has a refcount of
 *       0 or a block cannot be used, all blocks and the table are written anew into free clusters instead; one write lets the
 *       header name them; the count begins again, and what the old ones took is given back.
 *   <li>COPIED flags of active entries follow the refcounts.
 *   <li>A snapshot table with entries that lack extra data, or have too much of it, is written anew.
 *   <li>The dirty and the corrupt bit go, if no corruption is left.
 * </ol>
 *
 * <p>Where that differs from {@code qemu-img check -r}, on purpose:
 *
 * <ul>
 *   <li>A table is written only if nothing else claims its clusters, data included.
 *   <li>New structures go behind the file's end when some owner may be unknown, because a structure that names it is broken; and
 *       never where a broken entry points.
 *   <li>A refcount block outside the file is replaced; the file does not grow to hold it. A block at no cluster boundary is
 *       replaced too, where QEMU gives up.
 *   <li>No hole is punched: clusters that are given back keep their place on the host until they are used again.
 *   <li>Entries of the snapshot table are mended only if that is all that is wrong with any of them: else a wrong length may be what broke
 *       those behind it. Other broken entries stay as they are. As long as there are any, no refcount is lowered and no structure
 *       rebuilt, because nobody knows what their snapshots own.
 *   <li>More snapshots than the format's readers take, or a table that is too large, are refused; no snapshot is dropped.
 * </ul>
 *
 * <p>Invariants: only a repair writes, and only through its one writer; memory is sized by what the file holds, never by what it claims; counts are final before
 * the third stage begins. The package must not know how the engine maps guest offsets.
 */
@NullMarked
package dev.cowherd.check;

import org.jspecify.annotations.NullMarked;
