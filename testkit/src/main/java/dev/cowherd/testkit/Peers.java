package dev.cowherd.testkit;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Finds the real programs that tests talk to. A missing one fails the test and says how to get it; a test is never
 * skipped because its peer is not there.
 */
public final class Peers {
    private static final String ADVICE = "; run ./test or scripts/peers, they install it";

    private Peers() {}

    /**
     * A tool of QEMU 10, which {@code scripts/peers} unpacks beside the system's QEMU.
     *
     * @param tool {@code qemu-img}, {@code qemu-io}, {@code qemu-nbd} or {@code qemu-storage-daemon}
     * @return its path
     * @throws AssertionError if it is not there
     */
    public static Path qemu10(String tool) {
        Path path = cache().resolve("qemu-10/usr/bin").resolve(tool);
        if (!Files.isExecutable(path)) {
            throw new AssertionError("QEMU 10's " + tool + " is not at " + path + ADVICE);
        }
        return path;
    }

    /**
     * A program of the system: QEMU 7.2's tools, {@code nbdinfo}, {@code nbdcopy}, {@code nbdkit}, {@code fio} and the like.
     *
     * @param tool the program's name
     * @return its path
     * @throws AssertionError if it is not there
     */
    public static Path system(String tool) {
        for (Path folder : folders()) {
            Path path = folder.resolve(tool);
            if (Files.isExecutable(path) && !Files.isDirectory(path)) {
                return path;
            }
        }
        throw new AssertionError(tool + " is not installed" + ADVICE);
    }

    /** The same rules as {@code scripts/peers}. */
    private static Path cache() {
        String own = environment("COWHERD_PEERS");
        if (own != null) {
            return Path.of(own);
        }
        String shared = environment("XDG_CACHE_HOME");
        // The shell's home, which need not be the one that the JVM reads from the system's list of users.
        String home = environment("HOME");
        Path caches = shared != null
                ? Path.of(shared)
                : Path.of(home != null ? home : System.getProperty("user.home"), ".cache");
        return caches.resolve("cowherd/peers");
    }

    private static List<Path> folders() {
        List<Path> folders = new ArrayList<>();
        String path = environment("PATH");
        for (String folder : (path == null ? "" : path).split(":", -1)) {
            if (!folder.isEmpty()) {
                folders.add(Path.of(folder));
            }
        }
        folders.addAll(List.of(Path.of("/usr/bin"), Path.of("/usr/sbin"), Path.of("/sbin")));
        return folders;
    }

    private static @Nullable String environment(String name) {
        String value = System.getenv(name);
        return value == null || value.isEmpty() ? null : value;
    }
}
