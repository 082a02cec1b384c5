package dev.cowherd.proof.recall;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Each known fault, put back, is noticed; and without a fault the same suites pass. Writes the report of what noticed what. */
class RecallTest {
    private static final long PATIENCE_SECONDS = 120;
    private static final Map<Integer, String> REPORT = new TreeMap<>();

    @TempDir
    Path folder;

    /** How a child process ended. */
    private record Verdict(int status, String line, double seconds) {}

    static Stream<Mutant> mutants() {
        return Mutants.ALL.stream();
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("mutants")
    void theFaultIsNoticed(Mutant mutant) throws Exception {
        mutant.compile(projectFolder(), classPath(), folder);
        Verdict verdict = run(folder.resolve("classes") + File.pathSeparator + classPath(), mutant.suites());
        String row = "| %s | %s | %s | %.1f s |"
                .formatted(
                        mutant.id(),
                        mutant.fault(),
                        verdict.status == SuiteRunner.CAUGHT ? readable(verdict.line) : "**not noticed**",
                        verdict.seconds);
        REPORT.put(Integer.parseInt(mutant.id().substring(1)), row);
        assertThat(verdict.status)
                .as("%s (%s): %s", mutant.id(), mutant.fault(), verdict.line)
                .isEqualTo(SuiteRunner.CAUGHT);
    }

    @Test
    void withoutAFaultTheSameSuitesPass() throws Exception {
        List<String> suites = Mutants.ALL.stream()
                .flatMap(mutant -> mutant.suites().stream())
                .distinct()
                .toList();
        assertThat(run(classPath(), suites))
                .satisfies(
                        verdict -> assertThat(verdict.status).as(verdict.line).isEqualTo(SuiteRunner.UNNOTICED));
    }

    @AfterAll
    static void report() throws IOException {
        List<String> lines = new ArrayList<>();
        lines.add("| fault | what goes wrong | noticed by | after |");
        lines.add("|---|---|---|---|");
        lines.addAll(REPORT.values());
        Files.write(projectFolder().resolve("check/target/recall.md"), lines);
    }

    /** The names of class and method out of a test's unique id. */
    private static String readable(String line) {
        String id = line.substring(0, Math.max(0, line.indexOf('\t')));
        String type = id.replaceAll(".*\\[class(?:-template)?:(?:[a-z.]*\\.)?([^\\]]*)\\].*", "$1");
        String method = id.replaceAll(".*\\[(?:method|test-template):([^(\\]]*).*", "$1");
        return "`" + type + "." + method + "`";
    }

    private Verdict run(String classPath, List<String> suites) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "--add-exports",
                "java.base/jdk.internal.vm=ALL-UNNAMED",
                "-ea",
                "-Xmx512m",
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-Dcowherd.root=" + projectFolder(),
                "-Dcowherd.lab=recall",
                "-Djava.io.tmpdir=" + folder,
                "-cp",
                classPath,
                SuiteRunner.class.getName()));
        command.addAll(suites);
        Path output = folder.resolve("output.txt");
        long start = System.nanoTime();
        Process child = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
        boolean ended = child.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS);
        if (!ended) {
            child.destroyForcibly().waitFor();
        }
        double seconds = (System.nanoTime() - start) / 1e9;
        List<String> lines = Files.readAllLines(output);
        String told = lines.stream()
                .filter(line -> line.contains("\t") && line.startsWith("[engine"))
                .findFirst()
                .orElse(lines.isEmpty() ? "nothing said" : lines.getLast());
        return ended
                ? new Verdict(child.exitValue(), told, seconds)
                : new Verdict(-1, "not ended after " + PATIENCE_SECONDS + " s: " + told, seconds);
    }

    private static Path projectFolder() {
        return Path.of(System.getProperty("cowherd.root"));
    }

    private static String classPath() {
        return System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    }
}
