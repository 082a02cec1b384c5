package dev.cowherd.format;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** Takes the snapshot table apart and puts it together; an entry's length is only known from the entry. */
final class SnapshotTable {
    private static final String STRUCTURE = "snapshot table";

    private SnapshotTable() {}

    static int bytesNeeded(ByteBuffer prefix, Header header, long fileBytes) throws CorruptImageException {
        long count = count(header);
        long most = Math.min(Limits.MAX_SNAPSHOT_TABLE_BYTES, Math.max(0, fileBytes - header.snapshotsOffset()));
        long at = 0;
        for (long i = 0; i < count; i++) {
            at = padded(at);
            // The entries from here on take at least this much.
            long least = at + (count - i) * Snapshot.FIXED_BYTES;
            if (least > most) {
                throw tooLarge(header, at, most);
            }
            if (Snapshot.FIXED_BYTES > prefix.limit() - at) {
                return (int) Math.min(most, Math.max(least, 2L * prefix.limit()));
            }
            at += entryBytes(prefix, (int) at, header);
        }
        if (at > most) {
            throw tooLarge(header, at, most);
        }
        return (int) at;
    }

    private static CorruptImageException tooLarge(Header header, long at, long most) {
        return new CorruptImageException(
                STRUCTURE,
                header.snapshotsOffset() + at,
                header.snapshotCount() + " snapshots do not fit into " + most + " bytes");
    }

    private static long count(Header header) throws CorruptImageException {
        long count = Integer.toUnsignedLong(header.snapshotCount());
        if (count > Limits.MAX_SNAPSHOTS) {
            throw new CorruptImageException(STRUCTURE, header.snapshotsOffset(), "too many snapshots: " + count);
        }
        return count;
    }

    /** The length of the entry without padding, by its fixed part, which is there. */
    private static long entryBytes(ByteBuffer table, int at, Header header) throws CorruptImageException {
        long extra = Integer.toUnsignedLong(table.getInt(at + 36));
        if (extra > Limits.MAX_SNAPSHOT_EXTRA_BYTES) {
            throw new CorruptImageException(
                    STRUCTURE,
                    header.snapshotsOffset() + at,
                    "extra data of " + extra + " bytes, at most " + Limits.MAX_SNAPSHOT_EXTRA_BYTES);
        }
        return Snapshot.FIXED_BYTES + extra + (table.getShort(at + 12) & 0xffff) + (table.getShort(at + 14) & 0xffff);
    }

    static List<Snapshot> read(ByteBuffer table, Header header) throws CorruptImageException {
        long count = count(header);
        List<Snapshot> snapshots = new ArrayList<>();
        long at = 0;
        for (long i = 0; i < count; i++) {
            at = padded(at);
            if (Snapshot.FIXED_BYTES > table.limit() - at || entryBytes(table, (int) at, header) > table.limit() - at) {
                throw new CorruptImageException(
                        STRUCTURE, header.snapshotsOffset() + at, "ends within the entry of snapshot number " + i);
            }
            table.position((int) at);
            snapshots.add(entry(table));
            at = table.position();
        }
        return List.copyOf(snapshots);
    }

    private static Snapshot entry(ByteBuffer table) {
        long l1Offset = table.getLong();
        long l1Entries = Integer.toUnsignedLong(table.getInt());
        int idBytes = table.getShort() & 0xffff;
        int nameBytes = table.getShort() & 0xffff;
        long seconds = Integer.toUnsignedLong(table.getInt());
        long nanos = Integer.toUnsignedLong(table.getInt());
        long vmClockNanos = table.getLong();
        long vmStateBytes = Integer.toUnsignedLong(table.getInt());
        Bytes extra = Bytes.take(table, table.getInt());
        String id = label(table, idBytes);
        String name = label(table, nameBytes);
        return new Snapshot(id, name, l1Offset, l1Entries, seconds, nanos, vmClockNanos, vmStateBytes, extra);
    }

    private static String label(ByteBuffer table, int bytes) {
        String label = Text.label(table.slice(table.position(), bytes));
        table.position(table.position() + bytes);
        return label;
    }

    static ByteBuffer write(List<Snapshot> snapshots) {
        List<byte[]> labels = new ArrayList<>();
        long bytes = 0;
        for (Snapshot snapshot : snapshots) {
            byte[] id = Text.encode(snapshot.id());
            byte[] name = Text.encode(snapshot.name());
            if (id.length > 0xffff || name.length > 0xffff) {
                throw new IllegalArgumentException("snapshot id or name longer than 65535 bytes");
            }
            labels.add(id);
            labels.add(name);
            bytes = padded(bytes) + Snapshot.FIXED_BYTES + snapshot.extraData().length() + id.length + name.length;
        }
        if (bytes > Limits.MAX_SNAPSHOT_TABLE_BYTES) {
            throw new IllegalArgumentException("snapshot table of " + bytes + " bytes");
        }
        ByteBuffer table = ByteBuffer.allocate((int) bytes);
        for (int i = 0; i < snapshots.size(); i++) {
            table.position((int) padded(table.position()));
            put(table, snapshots.get(i), labels.get(2 * i), labels.get(2 * i + 1));
        }
        return table.flip();
    }

    private static void put(ByteBuffer table, Snapshot snapshot, byte[] id, byte[] name) {
        table.putLong(snapshot.l1Offset())
                .putInt((int) snapshot.l1Entries())
                .putShort((short) id.length)
                .putShort((short) name.length)
                .putInt((int) snapshot.dateSeconds())
                .putInt((int) snapshot.dateNanos())
                .putLong(snapshot.vmClockNanos())
                .putInt((int) snapshot.shortVmStateBytes())
                .putInt(snapshot.extraData().length())
                .put(snapshot.extraData().buffer())
                .put(id)
                .put(name);
    }

    private static long padded(long length) {
        return (length + 7) & ~7L;
    }
}
