package dev.cowherd.storage.ring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.sun.management.ThreadMXBean;
import dev.cowherd.storage.Errno;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.LongStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** One ring's turns: batching, both queues full, waiting, taking back, threads, and what a request costs. */
@Timeout(60)
class RingTest {
    private static final Completions NOBODY = (token, result, flags) -> {};

    @BeforeEach
    void ringsAreToBeHad() {
        assumeTrue(Ring.probe().isEmpty(), () -> Ring.probe().toString());
    }

    @Test
    void oneEntryOfTheKernelServesAllRequestsOfATurn() throws IOException {
        try (Ring ring = Ring.open(RingOptions.ofEntries(64))) {
            long before = ring.enters();
            for (int i = 0; i < 64; i++) {
                ring.nop(i);
            }
            Seen seen = new Seen();
            assertThat(ring.submitAndWait(64, seen)).isEqualTo(64);
            assertThat(ring.enters() - before).isEqualTo(1);
            assertThat(seen.order)
                    .containsExactlyInAnyOrderElementsOf(
                            LongStream.range(0, 64).boxed().toList());
            assertThat(ring.inFlight()).isZero();
        }
    }

    @Test
    void aTurnWithoutRequestsDoesNotEnterTheKernel() throws IOException {
        try (Ring ring = Ring.open(RingOptions.ofEntries(8))) {
            long before = ring.enters();
            assertThat(ring.submitAndWait(5, NOBODY)).isZero();
            assertThat(ring.enters()).isEqualTo(before);
        }
    }

    @Test
    void moreRequestsThanEntriesGoOutInBetweenAndNoneIsLost() throws IOException {
        try (Ring ring = Ring.open(new RingOptions(4, 8, 0, 0))) {
            Seen seen = new Seen();
            for (int i = 0; i < 1000; i++) {
                ring.nop(i);
            }
            assertThat(ring.inFlight()).isEqualTo(1000);
            assertThat(ring.submitAndWait(1000, seen)).isEqualTo(1000);
            assertThat(seen.results).hasSize(1000);
            assertThat(seen.results.values()).allMatch(all -> all.equals(List.of(0)));
        }
    }

    @Test
    void completionsThatOverflowAreKeptAndDelivered() throws IOException {
        try (Ring ring = Ring.open(new RingOptions(64, 128, 0, 0))) {
            for (int round = 0; round < 20; round++) {
                for (int i = 0; i < 64; i++) {
                    ring.nop(round * 64 + i);
                }
                ring.submit();
            }
            Seen seen = new Seen();
            // Asks for none: all that have completed come nevertheless, the overflown ones too.
            assertThat(ring.submitAndWait(0, seen)).isEqualTo(1280);
            assertThat(seen.results).hasSize(1280);
        }
    }

    @Test
    void aHandlerMayPrepareMoreThanThereIsRoomFor() throws IOException {
        try (Ring ring = Ring.open(new RingOptions(2, 4, 0, 0))) {
            Seen seen = new Seen();
            Completions doubling = (token, result, flags) -> {
                seen.completed(token, result, flags);
                for (long next = 2 * token; next <= 2 * token + 1 && next < 1024; next++) {
                    prepareNop(ring, next);
                }
            };
            ring.nop(1);
            while (ring.inFlight() > 0) {
                ring.submitAndWait(1, doubling);
            }
            assertThat(seen.order).hasSize(1023).doesNotHaveDuplicates();
        }
    }

    private static void prepareNop(Ring ring, long token) {
        try {
            ring.nop(token);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void aHandlerThatThrowsLosesNoOtherCompletion() throws IOException {
        try (Ring ring = Ring.open(RingOptions.ofEntries(8))) {
            for (int i = 0; i < 5; i++) {
                ring.nop(i);
            }
            Seen seen = new Seen();
            Completions fussy = (token, result, flags) -> {
                seen.completed(token, result, flags);
                if (token == 2) {
                    throw new IllegalArgumentException("no twos");
                }
            };
            assertThatThrownBy(() -> ring.submitAndWait(5, fussy)).hasMessage("no twos");
            ring.submitAndWait(5, fussy);
            assertThat(seen.order).containsExactlyInAnyOrder(0L, 1L, 2L, 3L, 4L);
        }
    }

    @Test
    void aTurnInsideATurnIsRefused() throws IOException {
        try (Ring ring = Ring.open(RingOptions.ofEntries(8))) {
            ring.nop(1);
            assertThatThrownBy(() -> ring.submitAndWait(1, (token, result, flags) -> {
                        try {
                            ring.submitAndWait(0, NOBODY);
                        } catch (IOException e) {
                            throw new AssertionError(e);
                        }
                    }))
                    .isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void aTimeoutCompletesWhenItsTimeHasPassed() throws IOException {
        try (Ring ring = Ring.open(RingOptions.ofEntries(8))) {
            Seen seen = new Seen();
            long start = System.nanoTime();
            ring.timeout(20_000_000, 1);
            assertThat(ring.submitAndWait(1, seen)).isEqualTo(1);
            assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(20_000_000);
            assertThat(seen.of(1)).isEqualTo(-Errno.ETIME.number());
        }
    }

    @Test
    void aWaitEndsAtItsTimeAndTheRequestStaysInFlight() throws IOException {
        try (Ring ring = Ring.open(RingOptions.ofEntries(8));
                HostPipes.Pair pipe = HostPipes.pipe();
                Arena arena = Arena.ofConfined()) {
            Seen seen = new Seen();
            long read = new FileRequests(ring).read(RingDescriptor.of(pipe.first()), 0, arena.allocate(8), 1);
            ring.nop(2);
            long start = System.nanoTime();
            assertThat(ring.submitAndWait(2, 5_000_000, seen)).isEqualTo(1);
            assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(5_000_000);
            assertThat(ring.submitAndWait(1, 0, seen)).isZero();
            assertThat(ring.inFlight()).isEqualTo(1);
            ring.cancel(read, 3);
            ring.submitAndWait(2, seen);
            assertThat(seen.of(1)).isEqualTo(-Errno.ECANCELED.number());
            assertThat(seen.of(3)).isZero();
        }
    }

    @Test
    void takingBackARequestThatHasCompletedFindsNothing() throws IOException {
        try (Ring ring = Ring.open(RingOptions.ofEntries(8))) {
            Seen seen = new Seen();
            long nop = ring.nop(1);
            ring.submitAndWait(1, seen);
            // The slot of the first is used anew by the second, which must not be hit.
            ring.timeout(30_000_000, 2);
            ring.cancel(nop, 3);
            ring.submitAndWait(2, seen);
            assertThat(seen.of(3)).isEqualTo(-Errno.ENOENT.number());
            assertThat(seen.of(2)).isEqualTo(-Errno.ETIME.number());
        }
    }

    @Test
    void closingTakesBackWhatIsInFlightBeforeItsMemoryGoes() throws IOException {
        List<Long> ended = new ArrayList<>();
        try (HostPipes.Pair pipe = HostPipes.pipe()) {
            Ring ring = Ring.open(new RingOptions(16, 32, 4, 4));
            MemorySegment own = ring.buffers().allocate(64 * 4096);
            FileRequests requests = new FileRequests(ring);
            for (int i = 0; i < 64; i++) {
                requests.read(RingDescriptor.of(pipe.first()), 0, own.asSlice(i * 4096L, 4096), i);
            }
            ring.timeout(1_000_000_000_000L, 64);
            ring.submit();
            ring.close((token, result, flags) -> {
                // The buffers are still there when their completion comes.
                assertThat(own.get(ValueLayout.JAVA_BYTE, 0)).isZero();
                assertThat(result).isEqualTo(-Errno.ECANCELED.number());
                ended.add(token);
            });
            assertThat(ended).hasSize(65).doesNotHaveDuplicates();
            assertThat(own.scope().isAlive()).isFalse();
            // Nobody reads from the pipe any more: what is written stays in it.
            HostPipes.write(pipe.second(), 4096, 7);
            try (Ring other = Ring.open(RingOptions.ofEntries(2));
                    Arena arena = Arena.ofConfined()) {
                Seen seen = new Seen();
                new FileRequests(other).read(RingDescriptor.of(pipe.first()), 0, arena.allocate(8192), 1);
                other.submitAndWait(1, seen);
                assertThat(seen.of(1)).isEqualTo(4096);
            }
            ring.close();
        }
    }

    @Test
    void aClosedRingRefuses() throws IOException {
        Ring ring = Ring.open(RingOptions.ofEntries(2));
        ring.close();
        assertThatThrownBy(() -> ring.nop(1)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> ring.submitAndWait(1, NOBODY)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void anotherThreadIsRefused() throws Exception {
        try (Ring ring = Ring.open(RingOptions.ofEntries(2));
                ExecutorService other = Executors.newSingleThreadExecutor()) {
            List<Callable<Long>> uses = List.of(
                    () -> ring.nop(1),
                    () -> (long) ring.submitAndWait(1, NOBODY),
                    () -> (long) ring.files().register(0).number(),
                    () -> {
                        ring.close(NOBODY);
                        return 0L;
                    });
            for (Callable<Long> use : uses) {
                Future<Long> used = other.submit(use);
                assertThatThrownBy(used::get).hasCauseInstanceOf(WrongThreadException.class);
            }
            assertThat(ring.inFlight()).isZero();
        }
    }

    @Test
    void aVirtualThreadGetsNoRing() throws Exception {
        try (ExecutorService virtual = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<Ring> opened = virtual.submit(() -> Ring.open(RingOptions.ofEntries(2)));
            assertThatThrownBy(opened::get).hasCauseInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void manyRingsOnManyThreadsDoNotDisturbOneAnother() throws Exception {
        try (ExecutorService threads = Executors.newFixedThreadPool(16)) {
            List<Future<Integer>> all = new ArrayList<>();
            for (int t = 0; t < 16; t++) {
                all.add(threads.submit(() -> {
                    int done = 0;
                    for (int round = 0; round < 5; round++) {
                        try (Ring ring = Ring.open(RingOptions.ofEntries(32))) {
                            for (int i = 0; i < 1000; i++) {
                                ring.nop(i);
                            }
                            done += ring.submitAndWait(1000, NOBODY);
                        }
                    }
                    return done;
                }));
            }
            for (Future<Integer> one : all) {
                assertThat(one.get()).isEqualTo(5000);
            }
        }
    }

    @Test
    void aRequestAllocatesNothing() throws IOException {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (Ring ring = Ring.open(RingOptions.ofEntries(32))) {
            int[] count = new int[1];
            Completions counting = (token, result, flags) -> count[0]++;
            turns(ring, 20_000, counting);
            long before = threads.getCurrentThreadAllocatedBytes();
            turns(ring, 20_000, counting);
            long bytes = threads.getCurrentThreadAllocatedBytes() - before;
            assertThat(count[0]).isEqualTo(2 * 20_000 * 32);
            // What is not compiled yet allocates a little.
            assertThat((double) bytes / (20_000 * 32)).isLessThan(2);
        }
    }

    private static void turns(Ring ring, int turns, Completions handler) throws IOException {
        for (int turn = 0; turn < turns; turn++) {
            for (int i = 0; i < 32; i++) {
                ring.nop(i);
            }
            ring.submitAndWait(32, handler);
        }
    }
}
