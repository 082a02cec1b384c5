package dev.cowherd.metadata;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.format.L2Entry;
import dev.cowherd.format.Subclusters;
import dev.cowherd.storage.MemoryStorage;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What the map answers for tables made by hand. */
class ChainLookupTest {
    private static final int K = 1024;

    @Test
    void nothingAllocatedIsOneRunOfZeros() throws IOException {
        TinyImage image = new TinyImage(3, 16, false, 1L << 40);
        assertThat(image.lookup().map(12345, (1L << 40) - 12345)).isEqualTo(new Extent.Zero((1L << 40) - 12345));
    }

    @Test
    void neighboursOnTheHostAreOneExtentAcrossSlicesAndTables() throws IOException {
        // Clusters of 512 bytes: a table, which is a slice here, maps 32 KiB.
        TinyImage image = new TinyImage(3, 9, false, 256 * K);
        image.table(0);
        image.table(32 * K);
        image.table(64 * K);
        long first = 0;
        for (int cluster = 0; cluster < 150; cluster++) {
            long host = image.cluster();
            first = cluster == 0 ? host : first;
            image.entry(cluster * 512L, L2Entry.standard(host, true, false));
        }
        ChainLookup lookup = image.lookup();
        assertThat(lookup.map(100, 256 * K - 100)).isEqualTo(new Extent.Data(image.file, first + 100, 150 * 512 - 100));
        assertThat(lookup.map(40 * K + 7, 9)).isEqualTo(new Extent.Data(image.file, first + 40 * K + 7, 9));
        assertThat(lookup.map(150 * 512, K)).isEqualTo(new Extent.Zero(K));
    }

    @Test
    void clustersApartOnTheHostAreExtentsApart() throws IOException {
        TinyImage image = new TinyImage(3, 16, false, 1 << 20);
        image.table(0);
        long b = image.cluster();
        long a = image.cluster();
        image.entry(0, L2Entry.standard(a, true, false)).entry(64 * K, L2Entry.standard(b, true, false));
        ChainLookup lookup = image.lookup();
        assertThat(lookup.map(0, 128 * K)).isEqualTo(new Extent.Data(image.file, a, 64 * K));
        assertThat(lookup.map(64 * K, 64 * K)).isEqualTo(new Extent.Data(image.file, b, 64 * K));
    }

    @Test
    void zeroClustersHideTheBackingFileAndUnallocatedOnesShowIt() throws IOException {
        TinyImage top = new TinyImage(3, 16, false, 512 * K);
        long kept = top.cluster();
        top.entry(64 * K, L2Entry.standard(0, false, true)).entry(128 * K, L2Entry.standard(kept, true, true));
        MemoryStorage raw = new MemoryStorage("base.raw");
        ChainLookup lookup = new ChainLookup(
                List.of(top.map(new SliceCache(1 << 20)), new RawMap(300 * K)),
                List.of(new LayerHandles(top.file, null), new LayerHandles(raw, null)),
                TinyImage.scratch());
        assertThat(lookup.map(10, 512 * K - 10)).isEqualTo(new Extent.Data(raw, 10, 64 * K - 10));
        assertThat(lookup.map(64 * K, 448 * K)).isEqualTo(new Extent.Zero(128 * K));
        assertThat(lookup.map(192 * K, 320 * K)).isEqualTo(new Extent.Data(raw, 192 * K, 108 * K));
        assertThat(lookup.map(300 * K, 212 * K)).isEqualTo(new Extent.Zero(212 * K));
        assertThat(lookup.region(128 * K, 1)).isEqualTo(new Region(0, RunKind.ZERO_ALLOCATED, kept, 1));
        assertThat(lookup.region(300 * K, 212 * K)).isEqualTo(new Region(0, RunKind.UNALLOCATED, -1, 212 * K));
    }

    @Test
    void aBackingFileLongerThanItsOverlayIsCut() throws IOException {
        TinyImage top = new TinyImage(3, 16, false, 100 * K);
        MemoryStorage raw = new MemoryStorage("base.raw");
        ChainLookup lookup = new ChainLookup(
                List.of(top.map(new SliceCache(1 << 20)), new RawMap(300 * K)),
                List.of(new LayerHandles(top.file, null), new LayerHandles(raw, null)),
                TinyImage.scratch());
        assertThat(lookup.map(0, 100 * K)).isEqualTo(new Extent.Data(raw, 0, 100 * K));
    }

    @Test
    void subclustersOfOneStateAreOneExtentAlsoAcrossClusters() throws IOException {
        // Clusters of 64 KiB with subclusters of 2 KiB.
        TinyImage image = new TinyImage(3, 16, true, 1 << 20);
        image.table(0);
        long host = image.cluster();
        image.cluster();
        long upperHalf = 0xffff_0000L;
        image.entry(0, L2Entry.standard(host, true, false), upperHalf | 0x000fL << 32);
        image.entry(64 * K, L2Entry.standard(host + 64 * K, true, false), Subclusters.ALL_ALLOCATED);
        ChainLookup lookup = image.lookup();
        assertThat(lookup.map(0, 1 << 20)).isEqualTo(new Extent.Zero(8 * K));
        assertThat(lookup.region(8 * K, 1 << 19))
                .isEqualTo(new Region(0, RunKind.UNALLOCATED_PLACED, host + 8 * K, 24 * K));
        assertThat(lookup.map(32 * K + 5, 1 << 19))
                .isEqualTo(new Extent.Data(image.file, host + 32 * K + 5, 96 * K - 5));
        assertThat(lookup.map(128 * K, 64 * K)).isEqualTo(new Extent.Zero(64 * K));
    }

    @Test
    void aCompressedClusterIsAnExtentOfItsOwn() throws IOException {
        TinyImage image = new TinyImage(3, 16, false, 1 << 20);
        image.table(0);
        long host = image.cluster() + 777;
        image.entry(0, L2Entry.compressed(host, 3000, 16)).entry(64 * K, L2Entry.compressed(host + 3000, 100, 16));
        // To the end of the last sector of 777 + 3000 bytes.
        assertThat(image.lookup().map(1000, 100 * K))
                .isEqualTo(new Extent.Compressed(0, image.file, host, 4096 - 777, 1000, 64 * K - 1000));
    }

    @Test
    void theFirstClusterOfAnExternalDataFileIsAtOffsetZero() throws IOException {
        TinyImage image = new TinyImage(3, 16, false, 1 << 20);
        MemoryStorage data = new MemoryStorage("data.bin");
        data.truncate(1 << 20);
        image.entry(0, L2Entry.standard(0, true, false));
        ImageMap map = ImageMap.open(image.file, data, image.header, null, new SliceCache(1 << 20));
        ChainLookup lookup = TinyImage.lookup(map, image.file, data);
        assertThat(lookup.map(0, 128 * K)).isEqualTo(new Extent.Data(data, 0, 64 * K));
        assertThat(lookup.map(64 * K, 64 * K)).isEqualTo(new Extent.Zero(64 * K));
    }

    @Test
    void aClusterThatAWriterElsewhereAddedIsFoundWithinTheGrownFile() throws IOException {
        TinyImage image = new TinyImage(3, 16, false, 1 << 20);
        image.table(0);
        ChainLookup lookup = image.lookup();
        long host = image.cluster() + (1 << 20);
        image.entry(0, L2Entry.standard(host, true, false));
        image.file.truncate(host + 64 * K);
        assertThat(lookup.map(0, 4 * K)).isEqualTo(new Extent.Data(image.file, host, 4 * K));
    }
}
