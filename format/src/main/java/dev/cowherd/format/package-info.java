/**
 * The on-disk format of QCOW2 images: pure codecs, bytes in, values out. No I/O, no state, no locks; nothing here knows
 * where bytes come from. This package's pages are the project's reference of the format; each class has the byte table
 * of its structure, this page says how they hang together. "Specification" means {@code docs/interop/qcow2.rst} of QEMU.
 *
 * <h2>The file as a whole</h2>
 *
 * <p>An image is a row of <em>host clusters</em> of one size, a power of two from 512 bytes to 2 MiB. The disk that a
 * guest sees is a row of <em>guest clusters</em> of the same size. The tables map guest clusters to host clusters, and
 * count for every host cluster how many owners it has. Numbers are big-endian. Every table starts at a cluster boundary
 * and lies in one piece.
 *
 * <pre>
 * first cluster   {@link dev.cowherd.format.Header} | {@link dev.cowherd.format.HeaderExtension}s | name of the backing file
 *                    |            |                 |
 *                    |            |                 +-- snapshot table: {@link dev.cowherd.format.Snapshot}s, each with its own L1 table
 *                    |            +-- refcount table -> refcount blocks: {@link dev.cowherd.format.Refcounts}
 *                    +-- L1 table: {@link dev.cowherd.format.L1Entry} -> L2 tables: {@link dev.cowherd.format.L2Entry} -> data
 * bitmaps extension -- directory: {@link dev.cowherd.format.BitmapEntry} -> tables: {@link dev.cowherd.format.BitmapTableEntry} -> bits
 * </pre>
 *
 * <h2>From a guest offset to its bytes</h2>
 *
 * <p>With c = log2 of the cluster size and e = log2 of the entries of an L2 table (c - 3, or c - 4 with extended
 * entries; see {@link dev.cowherd.format.Geometry}):
 *
 * <table>
 * <caption>The parts of a guest offset</caption>
 * <tr><th>bits</th><th>meaning</th></tr>
 * <tr><td>0 to c - 1</td><td>offset in the cluster</td></tr>
 * <tr><td>c to c + e - 1</td><td>index in the L2 table</td></tr>
 * <tr><td>from c + e on</td><td>index in the L1 table</td></tr>
 * </table>
 *
 * <p>The L1 entry names the L2 table or none. The L2 entry is, decided in this order:
 *
 * <table>
 * <caption>Kinds of L2 entries</caption>
 * <tr><th>entry</th><th>the guest cluster</th></tr>
 * <tr><td>compressed (bit 62)</td><td>is a compressed stream at any host offset, of a length in sectors</td></tr>
 * <tr><td>extended: second word</td><td>is 32 subclusters, each allocated, zero or neither
 *     ({@link dev.cowherd.format.Subclusters})</td></tr>
 * <tr><td>zero flag (bit 0), with or without an offset</td><td>reads as zeros; an offset is space held ready</td></tr>
 * <tr><td>an offset</td><td>is the host cluster there</td></tr>
 * <tr><td>nothing</td><td>reads from the backing file at the same guest offset, or as zeros if that file is shorter or
 *     there is none</td></tr>
 * </table>
 *
 * <p>With an external data file ({@link dev.cowherd.format.Feature#EXTERNAL_DATA_FILE}) the host offsets of guest
 * clusters are offsets in that file and equal to the guest offset; 0 is then a valid place, and the copied flag tells
 * it from "nothing". The tables stay in the image, and only they are counted.
 *
 * <h2>Refcounts</h2>
 *
 * <p>The refcount of host cluster n is number n mod k of the block that entry n / k of the refcount table names, where k
 * is {@link dev.cowherd.format.Geometry#refcountsPerBlock()}. An entry of the refcount table ({@link
 * dev.cowherd.format.RefcountTableEntry}) without a block means that none of the k clusters is in use. Every host
 * cluster is counted: header, tables, blocks (also by themselves), data. A cluster that holds several compressed streams
 * counts once for each stream that touches it. The copied flag of an entry repeats that the refcount is exactly 1, so
 * that a writer can write in place without looking; the refcount is the truth.
 *
 * <h2>Invariants of the code</h2>
 *
 * <ul>
 *   <li>What QEMU 10 refuses to open is refused, by an {@link dev.cowherd.format.ImageFormatException} with structure,
 *       offset and value. Refused beyond that are only faults which QEMU reads as something else than they say: tables
 *       outside the file or over the header, extensions that appear twice or are cut off by the end of the file, a
 *       header length that is no multiple of 8, the bit of a raw data file without a data file, names that are no UTF-8 or hold a NUL.
 *   <li>Nothing is allocated by a size that an image claims: only by {@link dev.cowherd.format.Limits} and by the bytes
 *       that are there.
 *   <li>Encoding what was decoded gives the same bytes, unknown fields and extensions included, so that a header can be
 *       rewritten without harm. Only padding, which has no meaning, becomes zero.
 *   <li>The questions that a request asks ({@link dev.cowherd.format.L1Entry}, {@link dev.cowherd.format.L2Entry},
 *       {@link dev.cowherd.format.Subclusters}, {@link dev.cowherd.format.Refcounts}) are statics on words: no
 *       allocation, no branch that is not needed.
 * </ul>
 *
 * <p>All types here are immutable or stateless, so safe for use by many threads; a buffer that is passed in is only read
 * during the call.
 */
@NullMarked
package dev.cowherd.format;

import org.jspecify.annotations.NullMarked;
