package dev.cowherd.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** What a report was measured on. */
public final class Machine {
    private Machine() {}

    /**
     * Names it.
     *
     * @return cores, processor, kernel and JVM
     * @throws IOException if the kernel does not tell
     */
    public static String inOneLine() throws IOException {
        String cpu = "unknown processor";
        for (String line : Files.readAllLines(Path.of("/proc/cpuinfo"))) {
            if (line.startsWith("model name")) {
                cpu = line.substring(line.indexOf(':') + 1).strip();
                break;
            }
        }
        return Runtime.getRuntime().availableProcessors() + " cores of " + cpu + ", Linux "
                + System.getProperty("os.version") + ", Java " + System.getProperty("java.version");
    }
}
