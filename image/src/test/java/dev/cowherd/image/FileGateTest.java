package dev.cowherd.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowherd.storage.FileOptions;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The gate judges what it opened, not only what a name led to a moment before. The tests step in between the two. */
class FileGateTest {
    private static final FileOptions OPTIONS = FileOptions.reading();

    @TempDir
    Path folder;

    private Path images;
    private Path top;
    private Path secret;
    private FileGate gate;

    @BeforeEach
    void aTopImageAndAFileOutside() throws IOException {
        images = Files.createDirectory(folder.resolve("images"));
        top = Files.writeString(images.resolve("top.qcow2"), "top");
        secret = Files.writeString(
                Files.createDirectory(folder.resolve("outside")).resolve("base.raw"), "secret");
        gate = FileGate.of(top, List.of());
    }

    private void refusedNowThatItLeadsOutside(FileGate.Admitted admitted) {
        assertThatThrownBy(() -> gate.open(admitted, OPTIONS))
                .isInstanceOf(ChainException.class)
                .hasMessageContaining("lies outside the top image's folder, in " + secret.getParent());
    }

    @Test
    void aLinkSwappedBetweenCheckAndOpenIsCaught() throws Exception {
        Files.writeString(images.resolve("mine.raw"), "mine");
        Path link = Files.createSymbolicLink(images.resolve("base.raw"), Path.of("mine.raw"));
        FileGate.Admitted admitted = gate.admit(top.toString(), "backing file", "base.raw");
        Files.delete(link);
        Files.createSymbolicLink(link, secret);
        refusedNowThatItLeadsOutside(admitted);
    }

    @Test
    void aFileReplacedByALinkBetweenCheckAndOpenIsCaught() throws Exception {
        Path file = Files.writeString(images.resolve("base.raw"), "mine");
        FileGate.Admitted admitted = gate.admit(top.toString(), "data file", "base.raw");
        Files.delete(file);
        Files.createSymbolicLink(file, secret);
        refusedNowThatItLeadsOutside(admitted);
    }

    @Test
    void aFolderOnTheWayReplacedByALinkBetweenCheckAndOpenIsCaught() throws Exception {
        Path below = Files.createDirectory(images.resolve("below"));
        Files.writeString(below.resolve("base.raw"), "mine");
        FileGate.Admitted admitted = gate.admit(top.toString(), "backing file", "below/base.raw");
        Files.move(below, images.resolve("moved"));
        Files.createSymbolicLink(below, secret.getParent());
        refusedNowThatItLeadsOutside(admitted);
    }

    @Test
    void aLinkSwappedToAnotherFileThatIsAllowedOpensIt() throws Exception {
        Files.writeString(images.resolve("one.raw"), "1");
        Files.writeString(images.resolve("other.raw"), "22");
        Path link = Files.createSymbolicLink(images.resolve("base.raw"), Path.of("one.raw"));
        FileGate.Admitted admitted = gate.admit(top.toString(), "backing file", "base.raw");
        Files.delete(link);
        Files.createSymbolicLink(link, Path.of("other.raw"));
        try (Storage opened = gate.open(admitted, OPTIONS)) {
            assertThat(opened.sizeBytes()).isEqualTo(2);
        }
    }

    @Test
    void aRefusedFileIsClosedAgain() throws Exception {
        Path file = Files.writeString(images.resolve("base.raw"), "mine");
        FileGate.Admitted admitted = gate.admit(top.toString(), "backing file", "base.raw");
        Files.delete(file);
        Files.createSymbolicLink(file, secret);
        refusedNowThatItLeadsOutside(admitted);
        try (var descriptors = Files.list(Path.of("/proc/self/fd"))) {
            assertThat(descriptors.filter(FileGateTest::isOpen).map(FileGateTest::target))
                    .doesNotContain(secret.toRealPath());
        }
    }

    private static boolean isOpen(Path descriptor) {
        return Files.isSymbolicLink(descriptor);
    }

    private static Path target(Path descriptor) {
        try {
            return Files.readSymbolicLink(descriptor);
        } catch (IOException e) {
            return descriptor;
        }
    }
}
