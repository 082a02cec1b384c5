package dev.cowherd.format;

import java.nio.ByteBuffer;
import java.util.List;

/**
 * One entry of the snapshot table (specification: Snapshots): an internal snapshot, which is an L1 table of its own
 * that shares clusters with the active one.
 *
 * <table>
 * <caption>On disk, big-endian; every entry starts at a multiple of 8</caption>
 * <tr><th>bytes</th><th>field</th></tr>
 * <tr><td>0–7</td><td>host offset of the snapshot's L1 table</td></tr>
 * <tr><td>8–11</td><td>its entries</td></tr>
 * <tr><td>12–13</td><td>i, the length of the id in bytes</td></tr>
 * <tr><td>14–15</td><td>n, the length of the name in bytes</td></tr>
 * <tr><td>16–19</td><td>when it was taken, seconds since 1970</td></tr>
 * <tr><td>20–23</td><td>the nanoseconds of that second</td></tr>
 * <tr><td>24–31</td><td>the guest's running time in nanoseconds</td></tr>
 * <tr><td>32–35</td><td>size of the saved machine state in bytes, 0: none; see {@link #vmStateBytes()}</td></tr>
 * <tr><td>36–39</td><td>e, the length of the extra data in bytes</td></tr>
 * <tr><td>40 to 39 + e</td><td>extra data: each field is there if the length reaches its end</td></tr>
 * <tr><td>&nbsp;&nbsp;+0–7</td><td>size of the saved machine state, in place of bytes 32 to 35</td></tr>
 * <tr><td>&nbsp;&nbsp;+8–15</td><td>size of the disk when it was taken, in bytes</td></tr>
 * <tr><td>&nbsp;&nbsp;+16–23</td><td>instruction count for record and replay, all ones: none</td></tr>
 * <tr><td>then i bytes</td><td>the id, no NUL at its end</td></tr>
 * <tr><td>then n bytes</td><td>the name, no NUL at its end</td></tr>
 * </table>
 *
 * <p>The L1 table is not judged with the entry, so that a listing shows every snapshot: {@link #requireL1} does it.
 * Bytes of an id or a name that are not UTF-8 are kept, as lone surrogates U+DC80 to U+DCFF.
 *
 * @param id the id, unique in the image
 * @param name the name
 * @param l1Offset host offset of the L1 table in bytes, not yet judged
 * @param l1Entries entries of the L1 table, an unsigned 32-bit number, not yet judged
 * @param dateSeconds when it was taken, seconds since 1970, an unsigned 32-bit number
 * @param dateNanos the nanoseconds of that second, an unsigned 32-bit number
 * @param vmClockNanos the guest's running time in nanoseconds
 * @param shortVmStateBytes the 32-bit size of the machine state, unsigned; {@link #vmStateBytes()} is the one to use
 * @param extraData the extra data, known and unknown, at most 1024 bytes
 */
public record Snapshot(
        String id,
        String name,
        long l1Offset,
        long l1Entries,
        long dateSeconds,
        long dateNanos,
        long vmClockNanos,
        long shortVmStateBytes,
        Bytes extraData) {
    /** Bytes of an entry before its extra data. */
    public static final int FIXED_BYTES = 40;

    private static final int VM_STATE_AT = 0;
    private static final int DISK_SIZE_AT = 8;
    private static final int ICOUNT_AT = 16;
    private static final int KNOWN_EXTRA_BYTES = 24;

    /**
     * How many bytes of the table {@link #decodeTable} needs, as far as the bytes at hand tell. Read some, ask, read as
     * many as it says, ask again, until there are enough.
     *
     * @param prefix the first bytes of the table, may be none; its position does not move
     * @param header the image's header
     * @param fileBytes length of the file in bytes
     * @return bytes, at most {@link Limits#MAX_SNAPSHOT_TABLE_BYTES} and what the file has
     * @throws CorruptImageException if the table would be larger than that, or an entry is
     */
    public static int bytesNeeded(ByteBuffer prefix, Header header, long fileBytes) throws CorruptImageException {
        return SnapshotTable.bytesNeeded(HeaderReader.view(prefix), header, fileBytes);
    }

    /**
     * Decodes the snapshot table.
     *
     * @param table the bytes from {@link Header#snapshotsOffset()} on, as many as {@link #bytesNeeded} said or more;
     *     its position does not move
     * @param header the image's header, from {@link Header#decode}
     * @return {@link Header#snapshotCount()} snapshots in the image's order
     * @throws CorruptImageException if an entry is not whole or its extra data is too long
     */
    public static List<Snapshot> decodeTable(ByteBuffer table, Header header) throws CorruptImageException {
        return SnapshotTable.read(HeaderReader.view(table), header);
    }

    /**
     * Encodes a snapshot table.
     *
     * @param snapshots the snapshots, at most {@link Limits#MAX_SNAPSHOTS}
     * @return a new big-endian buffer; what {@link #decodeTable} read comes out unchanged but for padding, which is zero
     */
    public static ByteBuffer encodeTable(List<Snapshot> snapshots) {
        return SnapshotTable.write(snapshots);
    }

    /**
     * An entry for a snapshot of the disk alone, as QEMU writes it: all extra data that it knows, no machine state, no
     * instruction count.
     *
     * @param id the id, unique in the image
     * @param name the name
     * @param dateSeconds when it is taken, seconds since 1970, an unsigned 32-bit number
     * @param dateNanos the nanoseconds of that second
     * @param diskBytes size of the disk in bytes
     * @return the entry, still without an L1 table
     */
    public static Snapshot ofDisk(String id, String name, long dateSeconds, long dateNanos, long diskBytes) {
        ByteBuffer extra = ByteBuffer.allocate(KNOWN_EXTRA_BYTES)
                .putLong(VM_STATE_AT, 0)
                .putLong(DISK_SIZE_AT, diskBytes)
                .putLong(ICOUNT_AT, -1);
        return new Snapshot(id, name, 0, 0, dateSeconds, dateNanos, 0, 0, Bytes.of(extra.array()));
    }

    /**
     * The same snapshot with its L1 table elsewhere.
     *
     * @param offset host offset of the L1 table in bytes
     * @param entries its entries
     * @return a copy, extra data kept
     */
    public Snapshot withL1(long offset, long entries) {
        return new Snapshot(
                id, name, offset, entries, dateSeconds, dateNanos, vmClockNanos, shortVmStateBytes, extraData);
    }

    /**
     * The size of the saved machine state, which follows the disk's data.
     *
     * @return bytes, 0 if there is none, unsigned
     */
    public long vmStateBytes() {
        return extra(VM_STATE_AT, shortVmStateBytes);
    }

    /**
     * The size of the disk when the snapshot was taken.
     *
     * @param header the image's header; old images do not store the size, then it is the disk's size of today
     * @return bytes, unsigned
     */
    public long diskBytes(Header header) {
        return extra(DISK_SIZE_AT, header.guestBytes());
    }

    /**
     * The instruction count for record and replay.
     *
     * @return the count, or -1 if there is none
     */
    public long icount() {
        return extra(ICOUNT_AT, -1);
    }

    private long extra(int at, long otherwise) {
        return extraData.length() >= at + Long.BYTES ? extraData.buffer().getLong(at) : otherwise;
    }

    /**
     * Judges where the snapshot's L1 table is; to be called before it is read.
     *
     * @param header the image's header
     * @param fileBytes length of the file in bytes
     * @return the table's entries, at most {@link Limits#MAX_L1_BYTES} / 8
     * @throws CorruptImageException if the table is too large, misaligned or not within the file
     */
    public int requireL1(Header header, long fileBytes) throws CorruptImageException {
        String structure = "L1 table of snapshot '" + id + "'";
        if (l1Entries > Limits.MAX_L1_BYTES / L1Entry.BYTES) {
            throw new CorruptImageException(structure, l1Offset, "too large: " + l1Entries + " entries");
        }
        if (header.geometry().offsetInCluster(l1Offset) != 0 || l1Offset < 0) {
            throw new CorruptImageException(
                    structure, l1Offset, "0x" + Long.toHexString(l1Offset) + " is no cluster boundary");
        }
        long bytes = l1Entries * L1Entry.BYTES;
        if (bytes > 0 && (l1Offset == 0 || l1Offset > fileBytes || bytes > fileBytes - l1Offset)) {
            throw new CorruptImageException(
                    structure, l1Offset, bytes + " bytes do not lie within the file of " + fileBytes + " bytes");
        }
        return (int) l1Entries;
    }
}
