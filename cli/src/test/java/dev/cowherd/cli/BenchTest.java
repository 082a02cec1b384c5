package dev.cowherd.cli;

import static dev.cowherd.cli.CommandRun.cowherd;
import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.testkit.QemuImg;
import dev.cowherd.testkit.Ran;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

/** Proves that bench sends what it is asked for and prints it in qemu-img's form and as JSON. */
final class BenchTest {
    private final QemuImg qemu = QemuImg.v10();

    @TempDir
    Path folder;

    private String image = "";

    @BeforeEach
    void makeAnImage() {
        Path path = folder.resolve("disk.qcow2");
        qemu.create(path, "8M");
        qemu.io(path, List.of("write -P 1 0 8M"));
        image = path.toString();
    }

    @Test
    void beginsAsQemuImgDoes() {
        String[] command = {"bench", "-c", "100", "-d", "2", "-s", "64k", "-S", "4096", "-o", "4k", image};
        String theirs = qemu.run(command).orFail().out();
        Ran ours = cowherd(folder, command);
        assertThat(ours.exit()).isZero();
        assertThat(ours.out().lines().findFirst()).isEqualTo(theirs.lines().findFirst());
        assertThat(ours.out()).containsPattern("Run completed in \\d+\\.\\d{3} seconds\\.\n");
        assertThat(ours.out()).contains("ring engine: each with up to 2 in flight", "p99.9");
    }

    @ParameterizedTest
    @CsvSource({
        "sync,8,one after another",
        "ring,1,up to 1 in flight",
        "ring,8,up to 8 in flight",
        "auto,1,one after another",
        "auto,8,up to 8 in flight"
    })
    void theEngineIsAsAsked(String engine, String depth, String said) {
        Ran ours = cowherd(folder, "bench", "--engine", engine, "-d", depth, "-c", "500", "--warmup", "0", image);
        assertThat(ours.exit()).as(ours.err()).isZero();
        assertThat(ours.out()).contains(said);
    }

    @Test
    void writesWhatItIsTold() {
        String[] command = {
            "bench", "-w", "-c", "64", "-d", "2", "-s", "64k", "--pattern=7", "--flush-interval", "8", image
        };
        String theirs = qemu.run(command).orFail().out();
        qemu.io(folder.resolve("disk.qcow2"), List.of("write -P 1 0 8M"));
        Ran ours = cowherd(folder, command);
        assertThat(ours.exit()).as(ours.err()).isZero();
        assertThat(ours.out().lines().limit(2).toList())
                .isEqualTo(theirs.lines().limit(2).toList());
        qemu.io(folder.resolve("disk.qcow2"), List.of("read -P 7 0 4M", "read -P 1 4160k 3M"));
        qemu.run("check", image).orFail();
        for (String queues : List.of("1", "4")) {
            for (String engine : List.of("sync", "ring")) {
                JsonNode json = json("-w", "-c", "1000", "--queues", queues, "--random", "--engine", engine);
                assertThat(json.get("requests").asLong()).isEqualTo(1000);
                qemu.run("check", image).orFail();
            }
        }
        for (String drain : List.of("--drain", "--no-drain")) {
            List<String> flags = new ArrayList<>(
                    List.of("-w", "-c", "1000", "-d", "4", "--flush-interval", "8", "--engine", "ring"));
            if (drain.equals("--no-drain")) {
                flags.add(drain);
            }
            assertThat(json(flags.toArray(String[]::new)).get("requests").asLong())
                    .isEqualTo(1000);
        }
    }

    @Test
    void aProfileSaysWhereTheTimeWent() {
        Ran ours = cowherd(folder, "bench", "-w", "-c", "64", "-d", "2", "--flush-interval", "8", "--profile", image);
        assertThat(ours.exit()).as(ours.err()).isZero();
        assertThat(ours.out())
                .containsPattern("event +count +total ms +p50 µs +p99 µs +max µs")
                .containsPattern("FlushRound +8 ")
                .containsPattern("FlushStage: last sync +8 ");
    }

    @Test
    void jsonHasTheAgreedKeys() {
        for (int queues : new int[] {1, 3}) {
            JsonNode json = json("-c", "1000", "--queues", "" + queues, "--warmup", "0");
            assertThat(json.propertyNames())
                    .containsExactly("iops", "bytes_per_second", "requests", "seconds", "latency_us");
            assertThat(json.get("latency_us").propertyNames()).containsExactly("p50", "p99", "p999", "max");
            assertThat(json.get("requests").asLong()).isEqualTo(1000);
            double seconds = json.get("seconds").asDouble();
            assertThat(json.get("iops").asDouble() * seconds).isBetween(999.0, 1001.0);
            assertThat(json.get("bytes_per_second").asDouble() * seconds).isBetween(4095e3, 4097e3);
            JsonNode latency = json.get("latency_us");
            assertThat(latency.get("p50").asDouble())
                    .isPositive()
                    .isLessThanOrEqualTo(latency.get("p99").asDouble());
            assertThat(latency.get("p999").asDouble())
                    .isGreaterThanOrEqualTo(latency.get("p99").asDouble())
                    .isLessThanOrEqualTo(latency.get("max").asDouble());
        }
    }

    @Test
    void aRuntimeEndsTheRun() {
        JsonNode json = json("--runtime", "0.3", "--warmup", "0.1", "--random", "--queues", "2");
        assertThat(json.get("seconds").asDouble()).isBetween(0.3, 5.0);
        assertThat(json.get("requests").asLong()).isPositive();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "-c foo",
                "-c 0",
                "-d 0",
                "-s 0",
                "-i foo",
                "-d 1024",
                "--engine foo",
                "-t foo",
                "-w -U",
                "-w --pattern 256",
                "-w --flush-interval 2",
                "--flush-interval 64",
                "-s 16M",
                "-o 8M"
            })
    void whatMakesNoSenseIsRefused(String flags) {
        List<String> command = new ArrayList<>(List.of("bench"));
        command.addAll(List.of(flags.split(" ")));
        command.add(image);
        Ran ran = cowherd(folder, command.toArray(String[]::new));
        assertThat(ran.exit()).isEqualTo(1);
        assertThat(ran.err()).startsWith("cowherd: ").hasLineCount(1);
    }

    private JsonNode json(String... flags) {
        List<String> command = new ArrayList<>(List.of("bench", "--output=json"));
        command.addAll(List.of(flags));
        command.add(image);
        Ran ran = cowherd(folder, command.toArray(String[]::new));
        assertThat(ran.exit()).as(ran.err()).isZero();
        return new ObjectMapper().readTree(ran.out());
    }
}
