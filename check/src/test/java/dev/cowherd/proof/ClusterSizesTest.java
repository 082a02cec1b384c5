package dev.cowherd.proof;

import dev.cowherd.image.CreateOptions;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.Engine;
import dev.cowherd.image.ImageCreator;
import dev.cowherd.storage.CacheMode;
import dev.cowherd.testkit.lab.ModelDisk;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.stream.IntStream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every size of clusters that the format allows, of both versions, made by QEMU and by us; the longer suites play four of them. */
class ClusterSizesTest {
    @TempDir
    Path folder;

    static IntStream clusterBits() {
        return IntStream.rangeClosed(9, 21);
    }

    @ParameterizedTest
    @MethodSource("clusterBits")
    void imagesThatQemuHasMade(int clusterBits) {
        for (int version = 2; version <= 3; version++) {
            Shape shape = Shape.plain(clusterBits).withVersion(version);
            Lab.part(shape + " by QEMU", () -> {
                Template template = Template.of(shape);
                Path image = folder.resolve("qemu.qcow2");
                Files.copy(template.top, image, StandardCopyOption.REPLACE_EXISTING);
                ModelDisk model = ModelDisk.ofZeros(shape.sizeBytes());
                template.tell(model);
                play(image, shape, model);
            });
        }
    }

    @ParameterizedTest
    @MethodSource("clusterBits")
    void imagesThatWeHaveMade(int clusterBits) {
        for (int version = 2; version <= 3; version++) {
            Shape shape = Shape.plain(clusterBits).withVersion(version);
            Lab.part(shape + " by us", () -> {
                Path image = folder.resolve("ours.qcow2");
                Files.deleteIfExists(image);
                ImageCreator.create(
                        image,
                        CreateOptions.ofSize(shape.sizeBytes())
                                .version(shape.version())
                                .clusterBits(clusterBits)
                                .build());
                play(image, shape, ModelDisk.ofZeros(shape.sizeBytes()));
            });
        }
    }

    /** One engine after the other, each with what the other one left. */
    private void play(Path image, Shape shape, ModelDisk model) throws IOException {
        model.beginRead(0).saw(ModelRandomTest.contents(image));
        DiskOptions options =
                Guests.byRing(DiskOptions.defaults().withWritable(true).withCacheMode(CacheMode.UNSAFE));
        long seed = Lab.seed();
        for (Engine engine : Guests.ENGINES) {
            try (Disk disk = Disk.open(image, options);
                    Guest guest = Guest.of(engine, disk)) {
                new GuestLoad(guest, new DrawnScript(model, shape, seed++, 40, false)).call();
            }
        }
        MemorySegment all = ModelRandomTest.contents(image);
        model.beginRead(0).saw(all);
        ModelRandomTest.judge(image, all);
    }
}
