package dev.cowherd.storage.fiber;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowherd.storage.CacheMode;
import dev.cowherd.storage.FileOptions;
import dev.cowherd.storage.FileStorage;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.StorageException;
import dev.cowherd.storage.linux.Libc;
import dev.cowherd.storage.linux.RingSystemCalls;
import dev.cowherd.storage.ring.PassingRingCalls;
import dev.cowherd.storage.ring.RingOptions;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Proves that work on fibers waits without its thread, and goes on once for each thing that it waited for. */
@Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FiberLoopTest {
    @TempDir
    Path folder;

    /** Something that happens once. */
    private static final class Event {
        private final List<Runnable> wakes = new ArrayList<>();
        private boolean happened;

        synchronized boolean waitsFor(Runnable wake) {
            return !happened && wakes.add(wake);
        }

        synchronized void happens() {
            happened = true;
            wakes.forEach(Runnable::run);
            wakes.clear();
        }
    }

    @Test
    void whoeverCanGoOnGoesOnWhileOthersWait() throws Exception {
        List<String> seen = new ArrayList<>();
        Event event = new Event();
        try (FiberLoop loop = FiberLoop.open(4)) {
            loop.begin(() -> {
                seen.add("first waits");
                FiberLoop.leaveUntil(event::waitsFor);
                seen.add("first goes on");
            });
            loop.begin(() -> {
                seen.add("second");
                event.happens();
            });
            assertThat(loop.busy()).isEqualTo(1);
            loop.turn(1);
            assertThat(loop.busy()).isZero();
        }
        assertThat(seen).containsExactly("first waits", "second", "first goes on");
    }

    @Test
    void workBegunOnAFiberBeginsWhenThatOneIsLeft() throws Exception {
        List<String> seen = new ArrayList<>();
        Event event = new Event();
        try (FiberLoop loop = FiberLoop.open(4)) {
            loop.begin(() -> {
                loop.begin(() -> {
                    seen.add("second");
                    loop.begin(() -> seen.add("fourth"));
                    event.happens();
                });
                loop.begin(() -> seen.add("third"));
                seen.add("first");
                FiberLoop.leaveUntil(event::waitsFor);
                seen.add("first goes on");
            });
            assertThat(loop.busy()).isEqualTo(3);
            loop.turn(1);
            assertThat(loop.busy()).isZero();
        }
        assertThat(seen).containsExactly("first", "second", "first goes on", "third", "fourth");
    }

    @Test
    void anotherThreadWakesALoopThatSleeps() throws Exception {
        try (FiberLoop loop = FiberLoop.open(4)) {
            for (int round = 0; round < 2000; round++) {
                Event event = new Event();
                CountDownLatch waits = new CountDownLatch(1);
                Thread other = Thread.ofPlatform().start(() -> {
                    try {
                        waits.await();
                    } catch (InterruptedException e) {
                        throw new AssertionError(e);
                    }
                    event.happens();
                });
                loop.begin(() -> FiberLoop.leaveUntil(wake -> {
                    boolean kept = event.waitsFor(wake);
                    waits.countDown();
                    return kept;
                }));
                while (loop.busy() > 0) {
                    loop.turn(1);
                }
                other.join();
            }
        }
    }

    @Test
    void aWakeEndsTheWaitItBelongsToAndNoOther() throws Exception {
        Path file = Files.write(folder.resolve("file"), new byte[] {1, 2, 3, 4});
        List<Byte> read = new ArrayList<>();
        Event over = new Event();
        over.happens();
        try (FiberLoop loop = FiberLoop.open(4);
                Storage shared = FileStorage.open(file, FileOptions.reading());
                Storage storage = shared.reopenFor(loop)) {
            loop.begin(() -> {
                MemorySegment one = Arena.ofAuto().allocate(1);
                for (int i = 0; i < 4; i++) {
                    // Over already: nothing of it may be left that would end the read below too early.
                    FiberLoop.leaveUntil(over::waitsFor);
                    read(storage, i, one.fill((byte) 9));
                    read.add(one.get(ValueLayout.JAVA_BYTE, 0));
                }
            });
            while (loop.busy() > 0) {
                loop.turn(1);
            }
        }
        assertThat(read).containsExactly((byte) 1, (byte) 2, (byte) 3, (byte) 4);
    }

    private static void read(Storage storage, long offset, MemorySegment destination) {
        try {
            assertThat(storage.read(offset, destination)).isEqualTo(destination.byteSize());
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void errorsKeepTheirNumber() throws Exception {
        Path file = Files.write(folder.resolve("file"), new byte[512]);
        List<IOException> thrown = new ArrayList<>();
        try (FiberLoop loop = FiberLoop.open(4);
                Storage shared = FileStorage.open(file, FileOptions.writing());
                Storage storage = shared.reopenFor(loop)) {
            // A ring would take this offset for the file's own position.
            loop.begin(() ->
                    thrown.add(failureOf(() -> storage.read(-1, Arena.ofAuto().allocate(512)))));
            loop.begin(() -> thrown.add(failureOf(
                    () -> storage.write(Long.MAX_VALUE - 4096, Arena.ofAuto().allocate(512)))));
            while (loop.busy() > 0) {
                loop.turn(1);
            }
        }
        assertThat(thrown).hasSize(2).allSatisfy(e -> assertThat(e).isInstanceOf(StorageException.class));
        assertThat(thrown.get(0)).hasMessageContaining("EINVAL");
        assertThat(thrown.get(1)).hasMessageContaining("EFBIG");
    }

    private interface Operation {
        void run() throws IOException;
    }

    private static IOException failureOf(Operation operation) {
        try {
            operation.run();
        } catch (IOException e) {
            return e;
        }
        throw new AssertionError("it did not fail");
    }

    /** The one that holds the block waits for the ring: were the other to hold the thread, neither would ever end. */
    @Test
    void unalignedDirectWritesToOneBlockTakeTurnsOnOneThread() throws Exception {
        Path file = Files.write(folder.resolve("file"), new byte[1 << 16]);
        int writers = 8;
        try (FiberLoop loop = FiberLoop.open(writers);
                Storage shared = FileStorage.open(file, FileOptions.writing().withCacheMode(CacheMode.NONE));
                Storage storage = shared.reopenFor(loop)) {
            for (int i = 0; i < writers; i++) {
                int number = i;
                loop.begin(() -> {
                    try {
                        storage.write(number * 10L, Arena.ofAuto().allocate(10).fill((byte) (number + 1)));
                    } catch (IOException e) {
                        throw new AssertionError(e);
                    }
                });
            }
            while (loop.busy() > 0) {
                loop.turn(1);
            }
        }
        byte[] bytes = Files.readAllBytes(file);
        for (int i = 0; i < writers * 10; i++) {
            assertThat(bytes[i]).as("byte " + i).isEqualTo((byte) (i / 10 + 1));
        }
    }

    @Test
    void aLoopWithWorkUnderWayIsNotClosed() throws Exception {
        Event event = new Event();
        FiberLoop loop = FiberLoop.open(4);
        loop.begin(() -> FiberLoop.leaveUntil(event::waitsFor));
        assertThatThrownBy(loop::close)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("under way");
        event.happens();
        loop.turn(1);
        loop.close();
    }

    @Test
    void aPlainThreadIsTold() {
        assertThat(FiberLoop.leaveUntil(wake -> true)).isFalse();
        assertThat(FiberLoop.pause(1)).isFalse();
        assertThat(FiberLoop.refusal()).isEmpty();
    }

    @Test
    void othersCanGoOnOnlyWhereOneIsReadyAndNoTestSaysWhoGoesOn() throws Exception {
        assertThat(FiberLoop.othersCanGoOn()).as("on no fiber").isFalse();
        try (FiberLoop loop = FiberLoop.open(4)) {
            assertThat(seenWith(loop, false)).containsExactly(false);
            assertThat(seenWith(loop, true)).containsExactly(false, true);
            loop.waitOn(new FiberLoop.Host() {
                @Override
                public void pass(boolean wait) {}

                @Override
                public void press() {}
            });
            assertThat(seenWith(loop, true)).containsExactly(false, false);
        }
    }

    /** What a fiber is told while another one waits, and after it let that one go on. */
    private static List<Boolean> seenWith(FiberLoop loop, boolean other) throws IOException {
        List<Boolean> seen = new ArrayList<>();
        Event event = new Event();
        if (other) {
            loop.begin(() -> FiberLoop.leaveUntil(event::waitsFor));
        }
        loop.begin(() -> {
            seen.add(FiberLoop.othersCanGoOn());
            if (other) {
                event.happens();
                seen.add(FiberLoop.othersCanGoOn());
            }
        });
        while (loop.busy() > 0) {
            loop.turn(1);
        }
        return seen;
    }

    /** Who can go on does so before the ring is entered: one call for what all of them ask. */
    @Test
    void aTurnEntersTheRingOnceForWhoGoesOnAndForWhoBegan() throws Exception {
        List<Integer> submitted = new ArrayList<>();
        PassingRingCalls calls = new PassingRingCalls() {
            @Override
            public long enter(int ring, int toSubmit, int minComplete, int flags, MemorySegment argument) {
                submitted.add(toSubmit);
                return super.enter(ring, toSubmit, minComplete, flags, argument);
            }
        };
        Event event = new Event();
        try (FiberLoop loop = FiberLoop.open(RingOptions.ofEntries(8), calls)) {
            submitted.clear();
            loop.begin(() -> {
                FiberLoop.leaveUntil(event::waitsFor);
                FiberLoop.pause(1);
            });
            loop.begin(() -> FiberLoop.pause(1));
            event.happens();
            loop.turn(1);
            assertThat(submitted).containsExactly(2);
            while (loop.busy() > 0) {
                loop.turn(1);
            }
        }
    }

    /** The doorbell is listened to since the first wait; it is nothing to wait for. */
    @Test
    void aTurnReturnsWhereNothingCanHappen() throws Exception {
        try (FiberLoop loop = FiberLoop.open(4)) {
            loop.begin(() -> {
                // The first wait for the doorbell may be answered by nobody's press but an old one.
                for (int i = 0; i < 3; i++) {
                    FiberLoop.pause(1_000_000);
                }
            });
            while (loop.busy() > 0) {
                loop.turn(1);
            }
            loop.turn(1);
            assertThat(loop.busy()).isZero();
        }
    }

    /** The ring syncs another descriptor here than the call would: what it answers counts, also where the call would succeed. */
    @Test
    void aSyncThatTheKernelFailedIsNotTriedAgain() throws IOException {
        int unsyncable = (int) RingSystemCalls.HOST.eventfd();
        long syncable = Libc.HOST.open(
                Files.write(folder.resolve("file"), new byte[512]).toString(), 2, 0);
        List<Long> results = new ArrayList<>();
        try (FiberLoop loop = FiberLoop.open(4)) {
            LoopFile onRing = loop.file(unsyncable);
            loop.begin(() -> {
                results.add(onRing.fdatasync((int) syncable));
                results.add(onRing.syncFileRange((int) syncable, 0, 4096, 2));
            });
            while (loop.busy() > 0) {
                loop.turn(1);
            }
        } finally {
            RingSystemCalls.HOST.close(unsyncable);
            Libc.HOST.close((int) syncable);
        }
        assertThat(results).containsExactly(-22L, -29L);
    }
}
