package dev.cowherd.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The yardstick of start-up: the least that a JVM can do, compiled on the spot with the JDK under test. */
final class Hello {
    private static final String SOURCE =
            "public class Hello { public static void main(String[] a) { System.out.println(\"hello\"); } }";

    private Hello() {}

    static void compileInto(Path folder) throws IOException {
        Files.createDirectories(folder);
        Path source = Files.writeString(folder.resolve("Hello.java"), SOURCE);
        Processes.run(
                Path.of(System.getProperty("java.home"), "bin", "javac").toString(),
                "-d",
                folder.toString(),
                source.toString());
    }
}
