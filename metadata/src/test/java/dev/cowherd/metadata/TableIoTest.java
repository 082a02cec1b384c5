package dev.cowherd.metadata;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowherd.format.CorruptImageException;
import dev.cowherd.format.Geometry;
import dev.cowherd.metadata.MetadataPlaces.Kind;
import dev.cowherd.storage.MemoryStorage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The last check before a table is written: nothing of another kind lies there. */
class TableIoTest {
    private static final Waits NO_WAITS = signal -> {
        throw new IllegalStateException("nobody else is here");
    };

    private final Geometry geometry = new Geometry(12, false, 4);

    private Allocator allocator(MetadataPlaces places) {
        return new Allocator("image", geometry, NO_WAITS, () -> 0, new RefcountStore(geometry, new long[1]), places, 0);
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void aTableIsWrittenOverItsOwnKindAndOverNoOther(Kind there) throws IOException {
        MetadataPlaces places = new MetadataPlaces(geometry.clusterBits(), "image");
        places.add(5, there);
        long offset = 5L << geometry.clusterBits();
        for (Kind kind : Kind.values()) {
            MemoryStorage file = new MemoryStorage("image");
            try (Arena arena = Arena.ofConfined()) {
                TableIo io = new TableIo(file, arena, geometry, allocator(places));
                if (kind == there) {
                    io.writeWords(offset, 8, Map.of(0, 7L), kind);
                    io.writeTable(offset, new long[] {7}, kind);
                    assertThat(file.sizeBytes()).isEqualTo(offset + 8);
                } else {
                    assertThatThrownBy(() -> io.writeWords(offset, 8, Map.of(0, 7L), kind))
                            .isInstanceOf(CorruptImageException.class)
                            .hasMessageContaining(there.label)
                            .hasMessageContaining(kind.label);
                    assertThatThrownBy(() -> io.writeBytes(offset - 512, new byte[1024], kind))
                            .isInstanceOf(CorruptImageException.class);
                    assertThatThrownBy(() -> io.writeTable(offset, new long[] {7}, null))
                            .isInstanceOf(CorruptImageException.class);
                    assertThat(file.sizeBytes()).as("bytes written").isZero();
                }
            }
        }
    }

    /** A cluster that two kinds claim is written as neither; once it is free, as any. */
    @ParameterizedTest
    @EnumSource(value = Kind.class, mode = EnumSource.Mode.EXCLUDE, names = "ACTIVE_L2")
    void aPlaceThatTwoKindsClaimIsWrittenByNeither(Kind other) throws IOException {
        MetadataPlaces places = new MetadataPlaces(geometry.clusterBits(), "image");
        for (long cluster = 0; cluster < 1000; cluster++) {
            places.add(cluster, Kind.ACTIVE_L2);
        }
        places.add(500, other);
        assertThatThrownBy(() -> places.requireNothingElse(500, Kind.ACTIVE_L2))
                .isInstanceOf(CorruptImageException.class);
        assertThatThrownBy(() -> places.requireNothingElse(500, other)).isInstanceOf(CorruptImageException.class);
        places.remove(500);
        places.requireNothingElse(500, null);
        for (long cluster = 0; cluster < 1000; cluster++) {
            places.requireNothingElse(cluster, Kind.ACTIVE_L2);
        }
        assertThat(places.other(499, null)).isEqualTo(Kind.ACTIVE_L2);
    }
}
