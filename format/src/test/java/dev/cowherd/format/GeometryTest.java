package dev.cowherd.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

/** The sizes and counts of an image follow from its three numbers, without overflow at the ends of the range. */
class GeometryTest {
    @Test
    void knownShapes() {
        Geometry usual = new Geometry(16, false, 4);
        assertThat(usual.clusterBytes()).isEqualTo(65536);
        assertThat(usual.l2EntriesPerTable()).isEqualTo(8192);
        assertThat(usual.guestBytesPerL2Table()).isEqualTo(512L << 20);
        assertThat(usual.refcountsPerBlock()).isEqualTo(32768);
        assertThat(usual.maxRefcount()).isEqualTo(65535);
        assertThat(usual.subclusterBytes()).isEqualTo(65536);
        Geometry extended = new Geometry(16, true, 6);
        assertThat(extended.l2EntriesPerTable()).isEqualTo(4096);
        assertThat(extended.subclusterBytes()).isEqualTo(2048);
        assertThat(extended.refcountsPerBlock()).isEqualTo(8192);
        assertThat(Long.toUnsignedString(extended.maxRefcount())).isEqualTo("18446744073709551615");
        assertThat(new Geometry(21, false, 0).refcountsPerBlock()).isEqualTo(1 << 24);
        assertThat(new Geometry(9, false, 6).refcountsPerBlock()).isEqualTo(64);
    }

    @Test
    void indexesTakeAnOffsetApart() {
        Cases.run(2000, random -> {
            int bits = 9 + random.nextInt(13);
            Geometry geometry = new Geometry(bits, bits >= 14 && random.nextBoolean(), random.nextInt(7));
            long offset = random.nextLong() >>> (1 + random.nextInt(40));
            long together = geometry.l1Index(offset) * geometry.guestBytesPerL2Table()
                    + (long) geometry.l2Index(offset) * geometry.clusterBytes()
                    + geometry.offsetInCluster(offset);
            assertThat(together).isEqualTo(offset);
            assertThat(geometry.clustersFor(offset)).isEqualTo(Math.ceilDiv(offset, (long) geometry.clusterBytes()));
            assertThat(geometry.l1EntriesFor(offset)).isEqualTo(Math.ceilDiv(offset, geometry.guestBytesPerL2Table()));
        });
    }

    @Test
    void otherShapesDoNotExist() {
        assertThatThrownBy(() -> new Geometry(8, false, 4)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new Geometry(22, false, 4)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new Geometry(13, true, 4)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new Geometry(16, false, 7)).isInstanceOf(IllegalArgumentException.class);
    }
}
