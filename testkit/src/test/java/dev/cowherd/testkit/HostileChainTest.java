package dev.cowherd.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.cowherd.format.ImageFormatException;
import dev.cowherd.image.ChainException;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.Engine;
import dev.cowherd.image.ImageFormat;
import dev.cowherd.storage.StorageException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Rows 35 to 41: what images name beside them, and what such a name leads to. */
@Tag("hostile")
final class HostileChainTest {
    private static final Duration LIMIT = Duration.ofSeconds(10);

    @TempDir
    private Path base;

    private Path folder;

    @BeforeEach
    void folderOfTheImage() throws IOException {
        folder = Files.createDirectory(base.resolve("images"));
    }

    @Test
    void row35AnImageOnItself() {
        overlay("a.qcow2", "a.qcow2");

        assertThat(refusal("a.qcow2")).isInstanceOf(ChainException.class).hasMessageContaining("loop");
    }

    @Test
    void row35ALoopOfThree() {
        overlay("a.qcow2", "b.qcow2");
        overlay("b.qcow2", "c.qcow2");
        overlay("c.qcow2", "a.qcow2");

        assertThat(refusal("a.qcow2")).isInstanceOf(ChainException.class).hasMessageContaining("loop");
    }

    @Test
    void row35ALoopThroughLinksAndOtherSpellings() throws IOException {
        overlay("a.qcow2", "soft.qcow2");
        Files.createSymbolicLink(folder.resolve("soft.qcow2"), Path.of("b.qcow2"));
        overlay("b.qcow2", "./hard.qcow2");
        Files.createLink(folder.resolve("hard.qcow2"), folder.resolve("a.qcow2"));

        assertThat(refusal("a.qcow2")).isInstanceOf(ChainException.class).hasMessageContaining("loop");
    }

    @Test
    void row35AnOpenedLinkIsPartOfTheLoop() throws IOException {
        overlay("a.qcow2", "b.qcow2");
        overlay("b.qcow2", "a.qcow2");
        Files.createSymbolicLink(folder.resolve("link.qcow2"), Path.of("a.qcow2"));

        assertThat(refusal("link.qcow2")).isInstanceOf(ChainException.class).hasMessageContaining("loop");
    }

    @Test
    void row36AsManyLayersAsAllowedAndNotOneMore() throws Exception {
        write(HandMadeImage.of(3, 9), "0.qcow2");
        for (int i = 1; i <= 200; i++) {
            overlay(i + ".qcow2", (i - 1) + ".qcow2");
        }

        assertThat(firstByte("199.qcow2", DiskOptions.defaults())).isEqualTo((byte) 0x55);
        assertThat(refusal("200.qcow2")).isInstanceOf(ChainException.class).hasMessageContaining("200");
        assertThat(refusal("3.qcow2", DiskOptions.defaults().withMaxChainDepth(3)))
                .isInstanceOf(ChainException.class)
                .hasMessageContaining("3");
    }

    @Test
    void row37ARelativeNameIsTakenFromTheImagesFolder() throws Exception {
        write(HandMadeImage.of(3, 9), "below.qcow2");
        Files.createDirectory(folder.resolve("sub"));
        overlay("sub/middle.qcow2", "../below.qcow2");
        overlay("top.qcow2", "sub/middle.qcow2");

        assertThat(firstByte("top.qcow2", DiskOptions.defaults())).isEqualTo((byte) 0x55);
        // Opened by itself, the middle one reaches out of its own folder.
        assertThat(refusal("sub/middle.qcow2"))
                .isInstanceOf(ChainException.class)
                .hasMessageContaining("outside")
                .hasMessageContaining("../below.qcow2");
        assertThat(firstByte("sub/middle.qcow2", DiskOptions.defaults().withBackingFolders(List.of(folder))))
                .isEqualTo((byte) 0x55);
    }

    @Test
    void row37LinksDoNotLeadOutOfTheFolder() throws IOException {
        Path outside = Files.createDirectory(base.resolve("outside"));
        Files.write(outside.resolve("secret"), new byte[512]);
        Files.createSymbolicLink(folder.resolve("file"), Path.of("../outside/secret"));
        Files.createSymbolicLink(folder.resolve("folder"), outside);
        Files.createSymbolicLink(folder.resolve("twice"), Path.of("file"));

        for (String name : List.of(
                "file",
                "twice",
                "folder/secret",
                "../outside/secret",
                "x/../../outside/secret",
                outside.resolve("secret").toString(),
                "file:" + outside.resolve("secret"))) {
            write(HandMadeImage.of(3, 9).backing(name, "raw"), "top.qcow2");
            assertThat(refusal("top.qcow2")).as(name).isInstanceOf(ChainException.class);
        }
    }

    @Test
    void row37AFolderWithTheSameBeginningIsAnotherFolder() throws IOException {
        Files.createDirectory(base.resolve("images2"));
        Files.write(base.resolve("images2/x.raw"), new byte[512]);
        write(HandMadeImage.of(3, 9).backing("../images2/x.raw", "raw"), "top.qcow2");

        assertThat(refusal("top.qcow2")).isInstanceOf(ChainException.class).hasMessageContaining("outside");
    }

    @Test
    void row39ABackingFileWithoutAFormatIsNeverProbed() throws Exception {
        write(HandMadeImage.of(3, 9), "guest-wrote-this.raw");
        write(
                HandMadeImage.of(3, 9)
                        .backingName("guest-wrote-this.raw".getBytes(StandardCharsets.UTF_8))
                        .l2(0, 0),
                "top.qcow2");

        assertThat(refusal("top.qcow2")).isInstanceOf(ChainException.class).hasMessageContaining("format");
        assertThat(firstByte("top.qcow2", DiskOptions.defaults().withUnnamedBackingAsRaw(true)))
                .isEqualTo((byte) 'Q');
    }

    @ParameterizedTest
    @ValueSource(strings = {"vmdk", "luks", "qcow", "nbd", "", "QCOW2", "raw\0", "qcow2 "})
    void row39OnlyKnownFormats(String format) throws IOException {
        Files.write(folder.resolve("x.raw"), new byte[512]);
        write(HandMadeImage.of(3, 9).backing("x.raw", format), "top.qcow2");

        assertThat(refusal("top.qcow2")).isInstanceOfAny(ChainException.class, ImageFormatException.class);
    }

    @Test
    void row39ARawFileThatIsCalledQcow2() throws IOException {
        Files.write(folder.resolve("x.raw"), new byte[4096]);
        write(HandMadeImage.of(3, 9).backing("x.raw", "qcow2"), "top.qcow2");

        assertThat(refusal("top.qcow2"))
                .isInstanceOf(ImageFormatException.class)
                .hasMessageContaining("x.raw")
                .hasMessageContaining("magic");
    }

    @Test
    void row40WhatIsNoFileOfBytes() throws Exception {
        Processes.run("mkfifo", folder.resolve("fifo").toString()).orFail();
        Files.createDirectory(folder.resolve("directory"));
        Files.createSymbolicLink(folder.resolve("zero"), Path.of("/dev/zero"));
        Files.createSymbolicLink(folder.resolve("memory"), Path.of("/proc/self/mem"));
        Files.createSymbolicLink(folder.resolve("dangling"), Path.of("nowhere"));
        Files.createSymbolicLink(folder.resolve("circle"), Path.of("circle"));
        for (String name : List.of("fifo", "directory", "zero", "memory", "dangling", "circle", "missing", ".", "..")) {
            write(HandMadeImage.of(3, 9).backing(name, "raw"), "top.qcow2");
            assertThat(refusal("top.qcow2")).as("backing " + name).isInstanceOf(ChainException.class);
            write(
                    HandMadeImage.of(3, 9)
                            .put64(HandMadeImage.INCOMPATIBLE, 4)
                            .extension(0x44415441L, name.getBytes(StandardCharsets.UTF_8)),
                    "top.qcow2");
            assertThat(refusal("top.qcow2")).as("data " + name).isInstanceOf(ChainException.class);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"/dev/zero", "/dev/null", "/dev/tty", "/proc/self/mem", "/", "/nothing/here"})
    void row40WhatIsNoFileOfBytesAtTheTop(String path) {
        IOException refusal = assertTimeoutPreemptively(
                LIMIT,
                () -> catchThrowableOfType(IOException.class, () -> Disk.open(Path.of(path), DiskOptions.defaults())));

        assertThat(refusal).isInstanceOf(StorageException.class).hasMessageContaining(path);
    }

    @Test
    void row40AFifoAtTheTopDoesNotHang() {
        Processes.run("mkfifo", folder.resolve("fifo").toString()).orFail();

        assertThat(refusal("fifo")).isInstanceOf(StorageException.class);
    }

    @Test
    void row40ADataFileThatIsTheImageItself() {
        write(
                HandMadeImage.of(3, 9)
                        .put64(HandMadeImage.INCOMPATIBLE, 4)
                        .extension(0x44415441L, "top.qcow2".getBytes(StandardCharsets.UTF_8)),
                "top.qcow2");

        assertThat(refusal("top.qcow2")).isInstanceOfAny(ChainException.class, ImageFormatException.class);
    }

    @Test
    void row41ARawDiskStaysRawWhateverItsFirstSectorHolds() throws Exception {
        write(HandMadeImage.of(3, 9), "disk.raw");
        List<String> warnings = new ArrayList<>();

        assertThat(firstByte("disk.raw", DiskOptions.defaults().withFormat(ImageFormat.RAW)))
                .isEqualTo((byte) 'Q');
        Files.write(folder.resolve("plain"), new byte[] {7, 0});
        assertThat(firstByte("plain", DiskOptions.defaults().withWarnings(warnings::add)))
                .isEqualTo((byte) 7);
        assertThat(warnings).singleElement().asString().contains("raw");
    }

    @Test
    void anEmptyFileIsAnEmptyRawDiskAndNoQcow2() throws Exception {
        Files.createFile(folder.resolve("empty"));

        try (Disk disk = Disk.open(folder.resolve("empty"), DiskOptions.defaults())) {
            assertThat(disk.sizeBytes()).isZero();
        }
        assertThat(refusal("empty", DiskOptions.defaults().withFormat(ImageFormat.QCOW2)))
                .isInstanceOf(ImageFormatException.class);
    }

    @Test
    void aSnapshotThatIsNotThere() throws IOException {
        write(HandMadeImage.plain().snapshot(0x30000, 1), "a.qcow2");
        Files.write(folder.resolve("a.raw"), new byte[512]);
        DiskOptions options = DiskOptions.defaults().withSnapshot("gone");

        assertThat(refusal("a.qcow2", options))
                .isInstanceOf(ChainException.class)
                .hasMessageContaining("gone");
        assertThat(refusal("a.raw", options))
                .as("a raw image has no snapshots at all")
                .isInstanceOf(ChainException.class)
                .hasMessageContaining("gone");
    }

    /** The folder is deleted after the test, which warns of links that lead out of it. */
    @AfterEach
    void noLinksLeft() throws IOException {
        for (String link : List.of("zero", "memory", "file", "folder")) {
            Files.deleteIfExists(folder.resolve(link));
        }
    }

    private void overlay(String name, String backing) {
        write(HandMadeImage.of(3, 9).backing(backing, "qcow2").l2(0, 0), name);
    }

    private void write(HandMadeImage image, String name) {
        image.writeTo(folder.resolve(name));
    }

    private IOException refusal(String name) {
        return refusal(name, DiskOptions.defaults());
    }

    private IOException refusal(String name, DiskOptions options) {
        return assertTimeoutPreemptively(
                LIMIT, () -> catchThrowableOfType(IOException.class, () -> firstByte(name, options)));
    }

    private byte firstByte(String name, DiskOptions options) throws IOException {
        try (Disk disk = Disk.open(folder.resolve(name), options);
                Arena arena = Arena.ofConfined()) {
            MemorySegment first = arena.allocate(1);
            for (Engine engine : Reads.ENGINES) {
                try (Reads queue = Reads.of(engine, disk)) {
                    queue.read(0, first);
                }
            }
            return first.get(ValueLayout.JAVA_BYTE, 0);
        }
    }
}
