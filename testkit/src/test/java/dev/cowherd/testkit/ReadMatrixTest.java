package dev.cowherd.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.Engine;
import dev.cowherd.image.ImageFormat;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every byte of every image of the matrix, read from one queue of each engine and from eight of both, is the byte that QEMU reads. */
final class ReadMatrixTest {
    private static final long SEED = Long.getLong("cowherd.seed", 1);
    private static final QemuImages IMAGES = QemuImages.shared();
    private static final QemuImg QEMU = QemuImg.v10();

    static List<ImageRecipe> recipes() {
        return ImageRecipes.pairwise(SEED);
    }

    static Stream<ImageRecipe> recipesWithSnapshots() {
        return recipes().stream().filter(ImageRecipe::snapshots);
    }

    @ParameterizedTest
    @MethodSource("recipes")
    void oneAndEightQueuesReadWhatQemuReads(ImageRecipe recipe) throws Exception {
        MadeImage image = IMAGES.make(recipe);
        byte[] expected = QEMU.bytesOf(image.top());

        try (Disk disk = Disk.open(image.top(), DiskOptions.defaults().withFormat(ImageFormat.QCOW2))) {
            GuestReads reads = new GuestReads(disk, expected, "-Dcowherd.seed=" + SEED + " " + recipe);
            for (Engine engine : Reads.ENGINES) {
                reads.fromOneQueue(engine, recipe.seed());
            }
        }
        // Opened anew, so that the eight meet cold tables together.
        try (Disk disk = Disk.open(image.top(), DiskOptions.defaults())) {
            assertThat(disk.layers()).hasSize(recipe.layers());
            GuestReads reads = new GuestReads(disk, expected, "-Dcowherd.seed=" + SEED + " " + recipe);
            reads.fromQueues(8, recipe.seed());
        }
    }

    @ParameterizedTest
    @MethodSource("recipesWithSnapshots")
    void aCacheWithoutRoomReadsTheSame(ImageRecipe recipe) throws Exception {
        MadeImage image = IMAGES.make(recipe);
        DiskOptions options = DiskOptions.defaults().withSliceCacheBytes(0);

        try (Disk disk = Disk.open(image.top(), options)) {
            new GuestReads(disk, QEMU.bytesOf(image.top()), "no cache, " + recipe).fromQueues(3, recipe.seed());
        }
    }

    @ParameterizedTest
    @MethodSource("recipesWithSnapshots")
    void snapshotsReadByNameAndById(ImageRecipe recipe) throws Exception {
        MadeImage image = IMAGES.make(recipe);
        for (String name : image.snapshots()) {
            byte[] expected = QEMU.bytesOf(image.top(), "-l", name);
            String id = name.equals("one") ? "1" : "3";
            for (String wanted : List.of(name, id)) {
                try (Disk disk = Disk.open(image.top(), DiskOptions.defaults().withSnapshot(wanted))) {
                    assertThat(disk.layers().get(0).snapshots())
                            .extracting(snapshot -> snapshot.id() + snapshot.name())
                            .containsExactly("1one", "3three");
                    new GuestReads(disk, expected, "snapshot " + wanted + ", " + recipe).fromQueues(2, recipe.seed());
                }
            }
        }
    }
}
