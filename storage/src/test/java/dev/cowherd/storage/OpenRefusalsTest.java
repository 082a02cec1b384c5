package dev.cowherd.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.assertj.core.api.AbstractThrowableAssert;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What cannot be opened is refused at once, with one line that says what it is. */
@SuppressWarnings("try") // a lowered limit works by being there
class OpenRefusalsTest {
    @TempDir
    Path folder;

    private static AbstractThrowableAssert<?, ?> refusal(Path path, FileOptions options) {
        return assertThatThrownBy(() -> FileStorage.open(path, options).close())
                .isInstanceOf(StorageException.class)
                .hasMessageStartingWith(path + ": open: ")
                .satisfies(e -> assertThat(e.getMessage()).doesNotContain("\n"));
    }

    private static void assertRefused(Path path, String words) {
        for (FileOptions options : new FileOptions[] {FileOptions.reading(), FileOptions.creating()}) {
            refusal(path, options).hasMessageContaining("it is " + words + "; name a file or block device");
        }
    }

    @Test
    void aDirectory() {
        assertRefused(folder, "a directory");
    }

    @Test
    void aCharacterDevice() {
        assertRefused(Path.of("/dev/zero"), "a character device");
    }

    @Test
    @Timeout(value = 10, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void aNamedPipeWithoutHanging() throws Exception {
        Path pipe = folder.resolve("pipe");
        assertThat(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor())
                .isZero();
        assertRefused(pipe, "a named pipe");
        Path link = Files.createSymbolicLink(folder.resolve("link"), pipe);
        assertRefused(link, "a named pipe");
    }

    @Test
    void aSocket() throws IOException {
        Path socket = Path.of("/tmp", "cowherd-" + ProcessHandle.current().pid() + ".socket");
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(socket));
            assertRefused(socket, "a socket");
        } finally {
            Files.deleteIfExists(socket);
        }
    }

    @Test
    void aFileThatTheKernelMakesUp() {
        refusal(Path.of("/proc/self/status"), FileOptions.reading()).hasMessageContaining("made up by the kernel");
        refusal(Path.of("/sys/kernel/mm/transparent_hugepage/enabled"), FileOptions.reading())
                .hasMessageContaining("it ");
    }

    @Test
    void aMissingFile() {
        refusal(folder.resolve("missing"), FileOptions.reading())
                .hasMessageEndingWith("No such file or directory (ENOENT)");
    }

    @Test
    void aFileWithoutPermission() throws IOException {
        assumeFalse("root".equals(System.getProperty("user.name")), "root may open everything");
        Path secret = Files.writeString(folder.resolve("secret"), "x");
        Files.setPosixFilePermissions(secret, PosixFilePermissions.fromString("---------"));
        refusal(secret, FileOptions.reading()).hasMessageEndingWith("Permission denied (EACCES)");
    }

    @Test
    void aNameWithAFileInTheMiddleAndALinkThatLeadsInACircle() throws IOException {
        Path file = Files.writeString(folder.resolve("file"), "x");
        refusal(file.resolve("below"), FileOptions.reading()).hasMessageContaining("ENOTDIR");
        Path circle = folder.resolve("circle");
        Files.createSymbolicLink(circle, circle);
        refusal(circle, FileOptions.reading()).hasMessageContaining("ELOOP");
    }

    @Test
    void aRunningProgramForWriting() {
        Path program = ProcessHandle.current().info().command().map(Path::of).orElseThrow();
        assumeFalse(!Files.isWritable(program), "only who may write the JVM's program can see it refused");
        refusal(program, FileOptions.writing()).hasMessageContaining("Text file busy (ETXTBSY)");
    }

    @Test
    void whenTheProcessHasNoDescriptorLeftAndThenGoesOn() throws Throwable {
        Path file = Files.write(folder.resolve("file"), new byte[4096]);
        try (Storage storage = FileStorage.open(file, FileOptions.reading())) {
            try (LoweredLimit limit = new LoweredLimit(3)) {
                refusal(file, FileOptions.reading().withLock(LockMode.NONE))
                        .hasMessageEndingWith("Too many open files (EMFILE)");
                assertThatThrownBy(storage::reopen).hasMessageEndingWith("Too many open files (EMFILE)");
            }
            storage.reopen().close();
        }
    }

    @Test
    void changesOfAFileOpenedReadOnly() throws IOException {
        Path file = Files.write(folder.resolve("file"), new byte[4096]);
        MemorySegment room = Arena.ofAuto().allocate(16);
        try (Storage storage = FileStorage.open(file, FileOptions.reading())) {
            assertThatThrownBy(() -> storage.write(0, room)).hasMessageContaining("opened read-only");
            assertThatThrownBy(() -> storage.truncate(0)).hasMessageContaining("opened read-only");
            assertThatThrownBy(() -> storage.punchHole(0, 1)).hasMessageContaining("opened read-only");
        }
    }

    /** Lowers this process's limit of descriptors, and sets it back. */
    private static final class LoweredLimit implements AutoCloseable {
        private static final int RLIMIT_NOFILE = 7;
        private static final FunctionDescriptor SHAPE =
                FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.ADDRESS);
        private final MethodHandle set = bind("setrlimit");
        private final MemorySegment limits = Arena.ofAuto().allocate(ValueLayout.JAVA_LONG, 2);
        private final long before;

        LoweredLimit(long soft) throws Throwable {
            assertThat((int) bind("getrlimit").invokeExact(RLIMIT_NOFILE, limits))
                    .isZero();
            before = limits.get(ValueLayout.JAVA_LONG, 0);
            limits.set(ValueLayout.JAVA_LONG, 0, soft);
            assertThat((int) set.invokeExact(RLIMIT_NOFILE, limits)).isZero();
        }

        private static MethodHandle bind(String function) {
            Linker linker = Linker.nativeLinker();
            return linker.downcallHandle(linker.defaultLookup().find(function).orElseThrow(), SHAPE);
        }

        @Override
        public void close() throws IOException {
            limits.set(ValueLayout.JAVA_LONG, 0, before);
            try {
                assertThat((int) set.invokeExact(RLIMIT_NOFILE, limits)).isZero();
            } catch (Throwable e) {
                throw new IOException(e);
            }
        }
    }

    /** A file of /proc refuses O_DIRECT on every kernel; tmpfs, the usual example, takes it by now. */
    @Test
    void aCacheModeThatTheFileSystemDoesNotSupport() {
        Path path = Path.of("/proc/version");
        for (CacheMode mode : new CacheMode[] {CacheMode.NONE, CacheMode.DIRECTSYNC}) {
            refusal(path, FileOptions.reading().withCacheMode(mode))
                    .hasMessageEndingWith("the file system does not support O_DIRECT, which cache mode " + mode
                            + " needs; use cache mode writeback");
        }
    }

    @Test
    void aCacheModeIsKnownByQemusName() {
        assertThat(CacheMode.parse("none")).isEqualTo(CacheMode.NONE);
        assertThat(CacheMode.parse("writethrough")).hasToString("writethrough");
        assertThatThrownBy(() -> CacheMode.parse("sometimes")).hasMessage("Invalid cache option: sometimes");
    }
}
