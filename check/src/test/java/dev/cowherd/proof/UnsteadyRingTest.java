package dev.cowherd.proof;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.check.CheckListener;
import dev.cowherd.check.CheckOptions;
import dev.cowherd.check.ImageCheck;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.DiskQueue;
import dev.cowherd.storage.FileOptions;
import dev.cowherd.storage.FileStorage;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.fiber.UnsteadyRing;
import dev.cowherd.storage.fiber.UnsteadyRing.Trouble;
import dev.cowherd.testkit.lab.ModelDisk;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The engine over a ring that has room for few requests and completions where many are in flight, and a kernel that refuses for now, is
 * interrupted, or takes less than it is offered: no guest notices, and no byte is lost.
 */
class UnsteadyRingTest {
    private static final int GUESTS = 24;

    @TempDir
    Path folder;

    @ParameterizedTest
    @EnumSource(Trouble.class)
    void aRingThatIsFullOrRefusedForNowIsInvisible(Trouble trouble) {
        for (Shape shape : new Shape[] {
            Shape.plain(12).withSnapshot().over(Shape.Below.SHORT),
            Shape.plain(16).packed(Shape.Packing.ZLIB)
        }) {
            Lab.part(shape + ", " + trouble, () -> play(shape, trouble, Lab.seed()));
        }
    }

    private void play(Shape shape, Trouble trouble, long seed) throws IOException {
        Template template = Template.of(shape);
        Path top = copy(template.top);
        if (template.base != null) {
            copy(template.base);
        }
        ModelDisk model = ModelDisk.ofZeros(shape.sizeBytes());
        template.tell(model);
        UnsteadyRing ring = new UnsteadyRing(trouble);
        DiskOptions options = DiskOptions.defaults().withWritable(true).withSliceCacheBytes(8192);
        try (Disk disk = Disk.open(top, options)) {
            new RequestLoad(disk, DrawnScript.several(GUESTS, model, shape, seed, Lab.count(1_000, 20_000), false))
                    .over(ring::open)
                    .call();
        }
        assertThat(ring.struck() > 0).as("calls met with trouble").isEqualTo(trouble != Trouble.NONE);
        try (Storage file = FileStorage.open(top, FileOptions.reading())) {
            assertThat(ImageCheck.run(file, CheckOptions.defaults(), CheckListener.SILENT)
                            .isClean())
                    .as("the check of the image")
                    .isTrue();
        }
        try (Disk disk = Disk.open(top, DiskOptions.defaults());
                DiskQueue queue = disk.openQueue()) {
            MemorySegment all = Arena.ofAuto().allocate(shape.sizeBytes());
            queue.read(0, all);
            model.beginRead(0).saw(all);
        }
    }

    private Path copy(Path file) throws IOException {
        return Files.copy(file, folder.resolve(file.getFileName()), StandardCopyOption.REPLACE_EXISTING);
    }
}
