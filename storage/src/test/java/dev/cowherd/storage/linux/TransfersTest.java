package dev.cowherd.storage.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Interrupted calls and short transfers, against a kernel that does as the script says. */
class TransfersTest {
    private static final int EINTR = -4;
    private static final int EIO = -5;
    private static final int FILE_BYTES = 3000;

    private final ScriptedKernel kernel = new ScriptedKernel();
    private final MemorySegment buffer = Arena.ofAuto().allocate(1000);

    /** A file in memory. Each call does what the next step says: an error, or at most so many bytes; without a step, all. */
    private static final class ScriptedKernel implements FileCalls {
        final byte[] file = new byte[FILE_BYTES];
        final Deque<Integer> script = new ArrayDeque<>();
        final List<String> calls = new ArrayList<>();
        /** What comes in between after the next write; then nothing does. */
        Runnable afterTheNext = () -> {};

        ScriptedKernel() {
            new SplittableRandom(1).nextBytes(file);
        }

        private long step(String call) {
            calls.add(call);
            Integer step = script.poll();
            return step == null ? Long.MAX_VALUE : step;
        }

        @Override
        public long pread(int fd, MemorySegment buffer, long offset) {
            long step = step("pread " + buffer.byteSize() + "@" + offset);
            if (step < 0) {
                return step;
            }
            int count = (int) Math.min(Math.min(step, buffer.byteSize()), Math.max(0, FILE_BYTES - offset));
            MemorySegment.copy(file, (int) Math.min(offset, FILE_BYTES), buffer, ValueLayout.JAVA_BYTE, 0, count);
            return count;
        }

        @Override
        public long pwrite(int fd, MemorySegment buffer, long offset) {
            long step = step("pwrite " + buffer.byteSize() + "@" + offset);
            if (step < 0) {
                return step;
            }
            int count = (int) Math.min(step, buffer.byteSize());
            MemorySegment.copy(buffer, ValueLayout.JAVA_BYTE, 0, file, (int) offset, count);
            comeInBetween();
            return count;
        }

        @Override
        public long preadv(int fd, MemorySegment[] buffers, int first, int count, long skip, long offset) {
            long step = step("preadv " + count + "@" + offset);
            if (step < 0) {
                return step;
            }
            long done = 0;
            for (int i = 0; i < count; i++) {
                MemorySegment rest = buffers[first + i].asSlice(i == 0 ? skip : 0);
                int now =
                        (int) Math.min(Math.min(step - done, rest.byteSize()), Math.max(0, FILE_BYTES - offset - done));
                MemorySegment.copy(file, (int) (offset + done), rest, ValueLayout.JAVA_BYTE, 0, now);
                done += now;
            }
            return done;
        }

        @Override
        public long pwritev(int fd, MemorySegment[] buffers, int first, int count, long skip, long offset) {
            long step = step("pwritev " + count + "@" + offset);
            if (step < 0) {
                return step;
            }
            long done = 0;
            for (int i = 0; i < count; i++) {
                MemorySegment rest = buffers[first + i].asSlice(i == 0 ? skip : 0);
                int now = (int) Math.min(step - done, rest.byteSize());
                MemorySegment.copy(rest, ValueLayout.JAVA_BYTE, 0, file, (int) (offset + done), now);
                done += now;
            }
            comeInBetween();
            return done;
        }

        private void comeInBetween() {
            Runnable now = afterTheNext;
            afterTheNext = () -> {};
            now.run();
        }

        @Override
        public long fallocate(int fd, int mode, long offset, long length) {
            return Math.min(0, step("fallocate"));
        }

        @Override
        public long fdatasync(int fd) {
            return Math.min(0, step("fdatasync"));
        }

        @Override
        public long syncFileRange(int fd, long offset, long length, int flags) {
            return Math.min(0, step("sync_file_range"));
        }

        @Override
        public long ftruncate(int fd, long length) {
            return Math.min(0, step("ftruncate"));
        }

        @Override
        public long open(String path, int flags, int mode) {
            long step = step("open");
            return step < 0 ? step : 7;
        }
    }

    private void assertBufferHoldsFileFrom(int offset, int length) {
        assertThat(buffer.asSlice(0, length).toArray(ValueLayout.JAVA_BYTE))
                .isEqualTo(java.util.Arrays.copyOfRange(kernel.file, offset, offset + length));
    }

    @Test
    void aReadGoesOnAfterInterruptsAndShortTransfers() {
        kernel.script.addAll(List.of(EINTR, 10, EINTR, 300, 1));
        assertThat(new Transfers(kernel, 1).read(3, 50, buffer)).isEqualTo(1000);
        assertBufferHoldsFileFrom(50, 1000);
        assertThat(kernel.calls)
                .containsExactly(
                        "pread 1000@50",
                        "pread 1000@50",
                        "pread 990@60",
                        "pread 990@60",
                        "pread 690@360",
                        "pread 689@361");
    }

    @Test
    void aReadEndsWhereTheFileEnds() {
        assertThat(new Transfers(kernel, 1).read(3, 2900, buffer)).isEqualTo(100);
        assertBufferHoldsFileFrom(2900, 100);
    }

    @Test
    void anErrorInTheMiddleOfAReadIsAnswered() {
        kernel.script.addAll(List.of(500, EIO));
        assertThat(new Transfers(kernel, 1).read(3, 0, buffer)).isEqualTo(EIO);
    }

    @Test
    void underDirectIoAReadThatStopsInsideABlockHasMetTheEndAndIsNotCarriedOn() {
        kernel.script.addAll(List.of(512));
        MemorySegment blocks = Arena.ofAuto().allocate(2048);
        assertThat(new Transfers(kernel, 512).read(3, 1024, blocks)).isEqualTo(FILE_BYTES - 1024);
        assertThat(kernel.calls).containsExactly("pread 2048@1024", "pread 1536@1536");
    }

    @Test
    void aVectoredReadGoesOnInTheMiddleOfASegment() {
        SplittableRandom random = new SplittableRandom(2);
        for (int round = 0; round < 300; round++) {
            MemorySegment[] buffers = new MemorySegment[1 + random.nextInt(6)];
            for (int i = 0; i < buffers.length; i++) {
                buffers[i] = buffer.asSlice(i * 150L, random.nextInt(120));
            }
            long wanted = 0;
            for (MemorySegment one : buffers) {
                wanted += one.byteSize();
            }
            for (int i = 0; i < 5; i++) {
                kernel.script.add(random.nextInt(4) == 0 ? EINTR : 1 + random.nextInt(130));
            }
            int offset = random.nextInt(FILE_BYTES);
            long expected = Math.min(wanted, FILE_BYTES - offset);
            assertThat(new Transfers(kernel, 1).readv(3, offset, buffers, buffers.length))
                    .isEqualTo(expected);
            int at = offset;
            for (MemorySegment one : buffers) {
                int length = (int) Math.min(one.byteSize(), FILE_BYTES - at);
                assertThat(one.asSlice(0, length).toArray(ValueLayout.JAVA_BYTE))
                        .as("round %d", round)
                        .isEqualTo(java.util.Arrays.copyOfRange(kernel.file, at, at + length));
                at += length;
            }
            kernel.script.clear();
        }
    }

    @Test
    void oneVectoredCallTakesNoMoreSegmentsThanTheKernelDoes() {
        MemorySegment[] buffers = new MemorySegment[2500];
        java.util.Arrays.fill(buffers, buffer.asSlice(0, 1));
        assertThat(new Transfers(kernel, 1).readv(3, 0, buffers, 2500)).isEqualTo(2500);
        assertThat(kernel.calls).containsExactly("preadv 1024@0", "preadv 1024@1024", "preadv 452@2048");
    }

    @Test
    void aWriteGoesOnAfterInterruptsAndShortTransfers() {
        buffer.fill((byte) 42);
        kernel.script.addAll(List.of(1, EINTR, 500));
        assertThat(new Transfers(kernel, 1).write(3, 100, buffer)).isEqualTo(1000);
        for (int i = 0; i < 1000; i++) {
            assertThat(kernel.file[100 + i]).isEqualTo((byte) 42);
        }
        assertThat(kernel.calls)
                .containsExactly("pwrite 1000@100", "pwrite 1000@100", "pwrite 1000@100", "pwrite 588@512");
    }

    @Test
    void twoWritesOfASectorOfWhichOneComesShortInTheMiddleLeaveItWhole() {
        for (int moved : new int[] {700, 200, 512}) {
            leavesSectorsWhole(moved, false);
            leavesSectorsWhole(moved, true);
        }
    }

    private void leavesSectorsWhole(int moved, boolean vectored) {
        kernel.calls.clear();
        MemorySegment[] ones = {
            Arena.ofAuto().allocate(300).fill((byte) 1),
            Arena.ofAuto().allocate(724).fill((byte) 1)
        };
        MemorySegment twos = Arena.ofAuto().allocate(1024).fill((byte) 2);
        kernel.script.add(moved);
        kernel.afterTheNext = () -> new Transfers(kernel, 1).write(3, 1024, twos);
        Transfers transfers = new Transfers(kernel, 1);
        long written = vectored
                ? transfers.writev(3, 1024, ones, 2)
                : transfers.write(3, 1024, Arena.ofAuto().allocate(1024).fill((byte) 1));
        assertThat(written).isEqualTo(1024);
        assertThat(kernel.calls).hasSize(3);
        for (int i = 0; i < 1024; i++) {
            byte last = (byte) (i < 512 && moved >= 512 ? 2 : 1);
            assertThat(kernel.file[1024 + i]).as("byte %d", i).isEqualTo(last);
        }
    }

    @Test
    void aSectorIsNotCutWhereOneCallTakesNoMoreSegments() {
        MemorySegment[] buffers = new MemorySegment[1100];
        java.util.Arrays.fill(buffers, buffer.asSlice(0, 1));
        assertThat(new Transfers(kernel, 1).writev(3, 100, buffers, 1100)).isEqualTo(1100);
        assertThat(kernel.calls).containsExactly("pwritev 1024@100", "pwritev 176@1024");
    }

    @Test
    void underDirectIoAWriteThatStopsInsideABlockIsCarriedOnFromTheBlocksStart() {
        kernel.script.addAll(List.of(700));
        MemorySegment blocks = Arena.ofAuto().allocate(1024);
        assertThat(new Transfers(kernel, 512).write(3, 512, blocks)).isEqualTo(1024);
        assertThat(kernel.calls).containsExactly("pwrite 1024@512", "pwrite 512@1024");
    }

    @Test
    void aKernelThatNeverTakesASectorAtOnceIsCarriedOnWhereItStopped() {
        buffer.fill((byte) 43);
        kernel.script.addAll(List.of(100, 100, 200, 200, 60, 60));
        assertThat(new Transfers(kernel, 1).write(3, 0, buffer.asSlice(0, 512))).isEqualTo(512);
        assertThat(kernel.calls)
                .containsExactly(
                        "pwrite 512@0",
                        "pwrite 512@0",
                        "pwrite 412@100",
                        "pwrite 412@100",
                        "pwrite 212@300",
                        "pwrite 212@300",
                        "pwrite 152@360");
        kernel.calls.clear();
        kernel.script.addAll(List.of(100, 100));
        MemorySegment[] buffers = {buffer.asSlice(0, 50), buffer.asSlice(50, 462)};
        assertThat(new Transfers(kernel, 1).writev(3, 0, buffers, 2)).isEqualTo(512);
        assertThat(kernel.calls).containsExactly("pwritev 2@0", "pwritev 2@0", "pwritev 1@100");
        assertThat(kernel.file).startsWith(new byte[] {43, 43, 43});
    }

    @Test
    void aWriteThatTheKernelNeverTakesFailsInsteadOfTurningForever() {
        kernel.script.addAll(List.of(0));
        assertThat(new Transfers(kernel, 1).write(3, 0, buffer)).isEqualTo(EIO);
    }

    @Test
    void aVectoredWriteGoesOnInTheMiddleOfASegment() {
        SplittableRandom random = new SplittableRandom(3);
        for (int round = 0; round < 300; round++) {
            byte[] model = kernel.file.clone();
            MemorySegment[] buffers = new MemorySegment[1 + random.nextInt(6)];
            int offset = random.nextInt(FILE_BYTES - 900);
            int at = offset;
            for (int i = 0; i < buffers.length; i++) {
                byte[] bytes = new byte[random.nextInt(120)];
                random.nextBytes(bytes);
                System.arraycopy(bytes, 0, model, at, bytes.length);
                at += bytes.length;
                buffers[i] = buffer.asSlice(i * 150L, bytes.length).copyFrom(MemorySegment.ofArray(bytes));
            }
            for (int i = 0; i < 5; i++) {
                kernel.script.add(random.nextInt(4) == 0 ? EINTR : 1 + random.nextInt(130));
            }
            assertThat(new Transfers(kernel, 1).writev(3, offset, buffers, buffers.length))
                    .isEqualTo(at - offset);
            assertThat(kernel.file).as("round %d", round).isEqualTo(model);
            kernel.script.clear();
        }
    }

    @Test
    void oneVectoredWriteCallTakesNoMoreSegmentsThanTheKernelDoes() {
        MemorySegment[] buffers = new MemorySegment[2500];
        java.util.Arrays.fill(buffers, buffer.asSlice(0, 1));
        assertThat(new Transfers(kernel, 1).writev(3, 0, buffers, 2500)).isEqualTo(2500);
        assertThat(kernel.calls).containsExactly("pwritev 1024@0", "pwritev 1024@1024", "pwritev 452@2048");
    }

    @Test
    void aVectoredWriteThatFailsOrIsNeverTakenAnswersTheError() {
        MemorySegment[] buffers = {buffer.asSlice(0, 100), buffer.asSlice(100, 100)};
        kernel.script.addAll(List.of(50, EIO));
        assertThat(new Transfers(kernel, 1).writev(3, 0, buffers, 2)).isEqualTo(EIO);
        kernel.script.addAll(List.of(0));
        assertThat(new Transfers(kernel, 1).writev(3, 0, buffers, 2)).isEqualTo(EIO);
    }

    @Test
    void underDirectIoAVectoredWriteThatStopsInsideABlockIsCarriedOnFromTheBlocksStart() {
        MemorySegment[] buffers = {
            Arena.ofAuto().allocate(512).fill((byte) 1),
            Arena.ofAuto().allocate(1024).fill((byte) 2)
        };
        kernel.script.addAll(List.of(700));
        assertThat(new Transfers(kernel, 512).writev(3, 512, buffers, 2)).isEqualTo(1536);
        assertThat(kernel.calls).containsExactly("pwritev 2@512", "pwritev 1@1024");
        for (int i = 0; i < 1536; i++) {
            assertThat(kernel.file[512 + i]).isEqualTo((byte) (i < 512 ? 1 : 2));
        }
    }

    @Test
    void everyOtherCallIsMadeAgainWhenInterrupted() {
        Transfers transfers = new Transfers(kernel, 1);
        kernel.script.addAll(List.of(EINTR, EINTR, 0, EINTR, EIO, EINTR, 0, EINTR, 0, EINTR, 7));
        assertThat(transfers.fallocate(3, 0, 0, 1)).isZero();
        assertThat(transfers.fdatasync(3)).isEqualTo(EIO);
        assertThat(transfers.syncFileRange(3, 0, 1, 2)).isZero();
        assertThat(transfers.ftruncate(3, 0)).isZero();
        assertThat(transfers.open("a", 0, 0)).isEqualTo(7);
        assertThat(kernel.calls)
                .containsExactly(
                        "fallocate",
                        "fallocate",
                        "fallocate",
                        "fdatasync",
                        "fdatasync",
                        "sync_file_range",
                        "sync_file_range",
                        "ftruncate",
                        "ftruncate",
                        "open",
                        "open");
    }
}
