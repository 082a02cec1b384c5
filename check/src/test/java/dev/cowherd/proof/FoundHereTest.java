package dev.cowherd.proof;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.Engine;
import dev.cowherd.image.ZeroMode;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The smallest case of each fault that the drawn suites have found. */
@EachEngine
class FoundHereTest {
    private final Engine engine;

    FoundHereTest(Engine engine) {
        this.engine = engine;
    }

    /** Where a cluster of the data file has some subclusters, zeroing all of it must also hide what the others look through to. */
    @ParameterizedTest
    @EnumSource(ZeroMode.class)
    void zerosOverAHalfAllocatedClusterOfADataFileHideTheLayerBelow(ZeroMode mode) throws Exception {
        Shape shape = Shape.plain(16).withExtended().over(Shape.Below.RAW).withData(Shape.Data.FILE);
        Rig rig = Rig.of(shape);
        long cluster = 9L * shape.clusterBytes();
        Stage.play(engine, stage -> {
            try (Disk disk = stage.open(rig, DiskOptions.defaults().withWritable(true));
                    Guest queue = stage.guest(disk)) {
                MemorySegment bytes = Arena.ofAuto().allocate(shape.clusterBytes());
                queue.read(cluster, bytes);
                assertThat(bytes.mismatch(Arena.ofAuto().allocate(bytes.byteSize())))
                        .as("there is something below")
                        .isZero();
                queue.write(cluster + 4096, bytes.asSlice(0, 2048));
                queue.writeZeroes(cluster, shape.clusterBytes(), mode);
                queue.read(cluster, bytes);
                assertThat(bytes.mismatch(Arena.ofAuto().allocate(bytes.byteSize())))
                        .isEqualTo(-1);
            }
        });
        rig.assertAtMostLeaks();
    }
}
