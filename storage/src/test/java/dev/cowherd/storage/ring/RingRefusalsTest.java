package dev.cowherd.storage.ring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.cowherd.storage.Errno;
import dev.cowherd.storage.ring.RingRefusedException.Reason;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Where there is no ring to be had, one line says why; simulated, and by a real filter of system calls. */
@Timeout(60)
class RingRefusalsTest {
    private static final int SETUP = 425;
    private static final int ENTER = 426;
    private static final int REGISTER = 427;

    @TempDir
    Path folder;

    @ParameterizedTest
    @CsvSource({
        "38, MISSING, none (ENOSYS)",
        "24, RESOURCES, Too many open files (EMFILE)",
        "12, RESOURCES, ulimit -l",
        "22, OTHER, Invalid argument (EINVAL)"
    })
    void whatSetupAnswersIsPutInWords(int errno, Reason reason, String words) {
        PassingRingCalls refusing = new PassingRingCalls() {
            @Override
            public long setup(int entries, MemorySegment params) {
                return -errno;
            }
        };
        RingRefusedException refused = Ring.probe(refusing).orElseThrow();
        assertThat(refused.reason()).isEqualTo(reason);
        assertThat(refused.errno()).isEqualTo(errno);
        assertThat(refused)
                .hasMessageStartingWith("io_uring is not available: ")
                .hasMessageContaining(words);
        assertThat(refused.getMessage()).doesNotContain("\n");
    }

    @Test
    void theAdministratorsSwitchIsNamed() throws IOException {
        Path adminSwitch = folder.resolve("switch");
        for (String value : new String[] {"1", "2"}) {
            Files.writeString(adminSwitch, value + "\n");
            RingRefusedException refused = RingRefusedException.of("io_uring_setup", Errno.EPERM.number(), adminSwitch);
            assertThat(refused.reason()).isEqualTo(Reason.SWITCHED_OFF);
            assertThat(refused).hasMessageContaining("kernel.io_uring_disabled = " + value);
        }
        Files.writeString(adminSwitch, "0\n");
        assertThat(RingRefusedException.of("io_uring_setup", Errno.EPERM.number(), adminSwitch)
                        .reason())
                .isEqualTo(Reason.SANDBOX);
        assertThat(RingRefusedException.of("io_uring_setup", Errno.EPERM.number(), folder.resolve("none"))
                        .reason())
                .isEqualTo(Reason.SANDBOX);
    }

    @Test
    void aKernelWithoutWhatIsNeededIsTooOld() {
        PassingRingCalls old = new PassingRingCalls() {
            @Override
            public long setup(int entries, MemorySegment params) {
                long result = super.setup(entries, params);
                params.set(java.lang.foreign.ValueLayout.JAVA_INT, 20, Uapi.FEAT_SINGLE_MMAP | Uapi.FEAT_NODROP);
                return result;
            }
        };
        assumeTrue(Ring.probe().isEmpty());
        assertThat(Ring.probe(old).orElseThrow().reason()).isEqualTo(Reason.TOO_OLD);
    }

    @Test
    void aRefusedMappingGivesTheDescriptorBack() {
        assumeTrue(Ring.probe().isEmpty());
        int[] open = new int[1];
        PassingRingCalls refusing = new PassingRingCalls() {
            @Override
            public long setup(int entries, MemorySegment params) {
                long fd = super.setup(entries, params);
                open[0] += fd >= 0 ? 1 : 0;
                return fd;
            }

            @Override
            public long map(int ring, long bytes, long part) {
                return part == Uapi.OFF_SQES ? -Errno.ENOMEM.number() : super.map(ring, bytes, part);
            }

            @Override
            public long close(int fd) {
                open[0]--;
                return super.close(fd);
            }
        };
        assertThat(Ring.probe(refusing).orElseThrow().reason()).isEqualTo(Reason.RESOURCES);
        assertThat(open[0]).isZero();
    }

    @Test
    void memoryThatMayNotBeLockedIsPlainMemory() throws IOException {
        assumeTrue(Ring.probe().isEmpty());
        PassingRingCalls locked = new PassingRingCalls() {
            @Override
            public long register(int ring, int operation, MemorySegment argument, int count) {
                return operation == Uapi.REGISTER_BUFFERS_UPDATE
                        ? -Errno.ENOMEM.number()
                        : super.register(ring, operation, argument, count);
            }
        };
        try (Ring ring = Ring.open(RingOptions.ofEntries(2), locked)) {
            MemorySegment buffer = ring.buffers().allocate(4096);
            assertThat(ring.buffers().indexOf(buffer.address(), 1)).isEqualTo(RegisteredBuffers.NONE);
            assertThatThrownBy(() -> ring.buffers().register(buffer)).hasMessageContaining("ENOMEM");
        }
    }

    @ParameterizedTest
    @CsvSource({
        SETUP + ", 1, SANDBOX, refuses io_uring_setup",
        SETUP + ", 38, MISSING, none (ENOSYS)",
        ENTER + ", 1, SANDBOX, refuses io_uring_enter",
        REGISTER + ", 1, SANDBOX, refuses io_uring_register"
    })
    void aRealSandboxIsRecognised(int call, int errno, Reason reason, String words) throws Exception {
        assumeTrue(Ring.probe().isEmpty());
        FutureTask<Optional<RingRefusedException>> inside = new FutureTask<>(() -> {
            assumeTrue(SystemCallFilter.refuse(call, errno), "no filters of system calls here");
            return Ring.probe();
        });
        Thread sandboxed = Thread.ofPlatform().start(inside);
        sandboxed.join();
        RingRefusedException refused = inside.get().orElseThrow();
        assertThat(refused.reason()).isEqualTo(reason);
        assertThat(refused.errno()).isEqualTo(errno);
        assertThat(refused).hasMessageContaining(words);
        assertThat(Ring.probe()).as("outside the sandbox").isEmpty();
    }
}
