package dev.cowherd.metadata;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.cowherd.format.CorruptImageException;
import dev.cowherd.format.L1Entry;
import dev.cowherd.format.L2Entry;
import dev.cowherd.storage.MemoryStorage;
import java.io.IOException;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A bad word in a table is a corrupt image: the error names the entry, where it is and its value; its neighbours stay readable. */
class CorruptTablesTest {
    private static final long CLUSTER = 1 << 16;
    private static final long PAST_THE_END = 1L << 40;

    /** A bad standard entry and what is said of it. */
    record Bad(String reason, int version, long word) {
        @Override
        public String toString() {
            return reason;
        }
    }

    static Stream<Bad> badEntries() {
        return Stream.of(
                new Bad(
                        "reserved bits 0x100000000000000 are set",
                        3,
                        L2Entry.standard(5 * CLUSTER, true, false) | 1L << 56),
                new Bad("reserved bits 0x2 are set", 3, 2),
                new Bad("the zero flag is set in an image of version 2", 2, L2Entry.standard(0, false, true)),
                new Bad("is not a multiple of the cluster size", 3, L2Entry.standard(5 * CLUSTER + 512, true, false)),
                new Bad("lies past the file's end", 3, L2Entry.standard(PAST_THE_END, true, false)),
                new Bad("lies on the refcount table", 3, L2Entry.standard(CLUSTER, true, false)),
                new Bad("lies on the L1 table", 3, L2Entry.standard(2 * CLUSTER, true, false)),
                new Bad("is this L2 table", 3, L2Entry.standard(3 * CLUSTER, true, false)),
                new Bad("compressed and copied at once", 3, L2Entry.compressed(5 * CLUSTER, 10, 16) | L2Entry.COPIED),
                new Bad("lies past the file's end", 3, L2Entry.compressed(PAST_THE_END, 10, 16)),
                new Bad("lies on the header", 3, L2Entry.compressed(100, 10, 16)));
    }

    @ParameterizedTest
    @MethodSource("badEntries")
    void aBadEntryStopsWhoNeedsItAndNobodyElse(Bad bad) throws IOException {
        TinyImage image = new TinyImage(bad.version, 16, false, 1 << 20);
        assertThat(image.table(0)).isEqualTo(3 * CLUSTER);
        image.cluster();
        long good = image.cluster();
        image.entry(0, L2Entry.standard(good, true, false)).entry(2 * CLUSTER, bad.word);
        ChainLookup lookup = image.lookup();
        assertThat(lookup.map(0, CLUSTER)).isEqualTo(new Extent.Data(image.file, good, CLUSTER));
        CorruptImageException error =
                catchThrowableOfType(CorruptImageException.class, () -> lookup.map(2 * CLUSTER + 100, 100));
        assertThat(error.reason()).startsWith("0x" + Long.toHexString(bad.word)).contains(bad.reason);
        assertThat(error.structure()).isEqualTo("L2 table entry 2");
        assertThat(error.offset()).isEqualTo(3 * CLUSTER + 16);
        assertThat(error.path()).isEqualTo("tiny.qcow2");
    }

    @Test
    void aClusterThatStartsWithinTheLastPartialOneIsReadableAndOneThatStartsBeyondIsNot() throws IOException {
        TinyImage image = new TinyImage(3, 16, false, 1 << 20);
        image.table(0);
        long last = image.cluster();
        image.file.truncate(last);
        image.entry(0, L2Entry.standard(last, true, false))
                .entry(CLUSTER, L2Entry.standard(last + CLUSTER, true, false));
        ChainLookup lookup = image.lookup();
        assertThat(lookup.map(0, CLUSTER)).isEqualTo(new Extent.Data(image.file, last, CLUSTER));
        assertThat(catchThrowableOfType(CorruptImageException.class, () -> lookup.map(CLUSTER, 1))
                        .reason())
                .contains("past the file's end");
    }

    @Test
    void contradictionsOfExtendedEntriesAreNamed() throws IOException {
        TinyImage image = new TinyImage(3, 16, true, 1 << 20);
        image.table(0);
        long host = image.cluster();
        long standard = L2Entry.standard(host, true, false);
        image.entry(0, standard, 1L | 1L << 32);
        image.entry(CLUSTER, 0, 1L);
        image.entry(2 * CLUSTER, standard | L2Entry.ZERO, 1L);
        image.entry(3 * CLUSTER, L2Entry.compressed(host, 10, 16), 1L);
        ChainLookup lookup = image.lookup();
        List<String> said = List.of(
                "subclusters both allocated and zero, bitmap 0x100000001",
                "allocated subclusters without a cluster, bitmap 0x1",
                "reserved bits 0x1 are set",
                "compressed, but its subcluster bitmap is 0x1");
        for (int i = 0; i < said.size(); i++) {
            long at = i * CLUSTER;
            assertThat(catchThrowableOfType(CorruptImageException.class, () -> lookup.map(at, 1))
                            .getMessage())
                    .contains(said.get(i), "L2 table entry " + i);
        }
    }

    @Test
    void aBadL1EntryIsNamed() throws IOException {
        TinyImage image = new TinyImage(3, 9, false, 256 << 10);
        long table = image.cluster();
        long l1 = image.header.l1Offset();
        image.put(l1, L1Entry.of(table, true) | 1);
        image.put(l1 + 8, L1Entry.of(PAST_THE_END, true));
        image.put(l1 + 16, L1Entry.of(l1, true));
        ChainLookup lookup = image.lookup();
        List<String> said = List.of("reserved bits 0x1 are set", "past the file's end", "lies on the L1 table");
        for (int i = 0; i < said.size(); i++) {
            long at = i * (32L << 10);
            CorruptImageException error = catchThrowableOfType(CorruptImageException.class, () -> lookup.map(at, 1));
            assertThat(error.getMessage()).contains("tiny.qcow2: L1 table entry " + i, said.get(i));
            assertThat(error.offset()).isEqualTo(l1 + 8L * i);
        }
        assertThat(lookup.map(96 << 10, 1)).isEqualTo(new Extent.Zero(1));
    }

    @Test
    void anL1TableThatTheFileDoesNotHoldTakesNoMemory() throws IOException {
        TinyImage image = new TinyImage(3, 16, false, 1L << 50);
        image.file.truncate(4 * CLUSTER);
        assertThat(catchThrowableOfType(CorruptImageException.class, () -> image.map(new SliceCache(0)))
                        .getMessage())
                .contains("L1 table at offset 0x20000");
    }

    @Test
    void entriesOfAnExternalDataFileMustBeWhereTheGuestHasThem() throws IOException {
        TinyImage image = new TinyImage(3, 16, false, 1 << 20);
        MemoryStorage data = new MemoryStorage("data.bin");
        data.truncate(1 << 20);
        image.entry(0, L2Entry.standard(CLUSTER, true, false));
        image.entry(CLUSTER, L2Entry.compressed(CLUSTER, 10, 16));
        ImageMap map = ImageMap.open(image.file, data, image.header, null, new SliceCache(1 << 20));
        ChainLookup lookup = TinyImage.lookup(map, image.file, data);
        assertThat(catchThrowableOfType(CorruptImageException.class, () -> lookup.map(0, 1))
                        .reason())
                .contains("in the external data file is not the guest offset 0x0");
        assertThat(catchThrowableOfType(CorruptImageException.class, () -> lookup.map(CLUSTER, 1))
                        .reason())
                .contains("compressed, but the image has an external data file");
    }
}
