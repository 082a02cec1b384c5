package dev.cowherd.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowherd.storage.fiber.FiberLoop;
import dev.cowherd.storage.fiber.PlainTransfers;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Transfers without a fiber: which handles begin them, what comes back, and what a write holds meanwhile. */
@Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class PlainTransfersTest {
    private static final int BLOCK = 4096;

    @TempDir
    Path folder;

    private final Map<Long, Integer> results = new HashMap<>();
    private final MemorySegment bytes = Arena.ofAuto().allocate(2 * BLOCK, BLOCK);

    private Storage open(CacheMode mode) throws IOException {
        Path file = folder.resolve("file-" + mode);
        if (!Files.exists(file)) {
            Files.write(file, new byte[8 * BLOCK]);
        }
        return FileStorage.open(file, FileOptions.writing().withCacheMode(mode));
    }

    private void settle(FiberLoop loop) throws IOException {
        while (loop.busy() > 0) {
            loop.turn(loop.busy());
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"WRITEBACK", "NONE"})
    void bytesGoThereAndComeBackInOneTurn(CacheMode mode) throws IOException {
        try (Storage shared = open(mode);
                FiberLoop loop = FiberLoop.open(8);
                Storage own = shared.reopenFor(loop)) {
            PlainTransfers transfers = loop.transfers(results::put);
            bytes.asSlice(0, BLOCK).fill((byte) 7);
            assertThat(own.beginWrite(transfers, 2 * BLOCK, bytes.asSlice(0, BLOCK), 1))
                    .isTrue();
            assertThat(loop.busy()).isEqualTo(1);
            settle(loop);
            own.endWrite(2 * BLOCK, BLOCK);
            assertThat(own.beginRead(transfers, BLOCK, bytes, 2)).isTrue();
            assertThat(own.beginRead(transfers, 6 * BLOCK, Arena.ofAuto().allocate(4 * BLOCK, BLOCK), 3))
                    .isTrue();
            settle(loop);
            assertThat(results)
                    .as("the last one comes short, at the file's end")
                    .containsExactlyInAnyOrderEntriesOf(Map.of(1L, BLOCK, 2L, 2 * BLOCK, 3L, 2 * BLOCK));
            assertThat(bytes.get(ValueLayout.JAVA_BYTE, 0)).isZero();
            assertThat(bytes.get(ValueLayout.JAVA_BYTE, 2 * BLOCK - 1)).isEqualTo((byte) 7);
        }
    }

    @Test
    void aWritePastThePageCacheHoldsItsBlocksUntilItHasEnded() throws IOException {
        try (Storage shared = open(CacheMode.NONE);
                FiberLoop loop = FiberLoop.open(8);
                Storage own = shared.reopenFor(loop);
                Storage other = shared.reopenFor(loop)) {
            PlainTransfers transfers = loop.transfers(results::put);
            assertThat(own.beginWrite(transfers, BLOCK, bytes, 1)).isTrue();
            settle(loop);
            assertThat(other.beginWrite(transfers, 2 * BLOCK, bytes.asSlice(0, BLOCK), 2))
                    .as("while the other one has its result and has not ended")
                    .isFalse();
            boolean[] written = new boolean[1];
            loop.begin(() -> {
                try {
                    other.write(2 * BLOCK + 1, bytes.asSlice(0, 1));
                    written[0] = true;
                } catch (IOException e) {
                    throw new AssertionError(e);
                }
            });
            loop.turn(0);
            assertThat(written[0]).as("an unaligned write waits").isFalse();
            own.endWrite(BLOCK, 2 * BLOCK);
            settle(loop);
            assertThat(written[0]).isTrue();
            assertThat(other.beginWrite(transfers, 2 * BLOCK, bytes.asSlice(0, BLOCK), 3))
                    .isTrue();
            settle(loop);
            other.endWrite(2 * BLOCK, BLOCK);
        }
    }

    @Test
    void whatTakesMoreThanOneTransferIsNotBegun() throws IOException {
        try (Storage direct = open(CacheMode.NONE);
                Storage cached = open(CacheMode.WRITEBACK);
                Storage readOnly =
                        FileStorage.open(Files.write(folder.resolve("other"), new byte[BLOCK]), FileOptions.reading());
                FiberLoop loop = FiberLoop.open(8);
                FiberLoop another = FiberLoop.open(8);
                Storage directly = direct.reopenFor(loop);
                Storage ofAnother = cached.reopenFor(another);
                Storage read = readOnly.reopenFor(loop)) {
            PlainTransfers transfers = loop.transfers(results::put);
            MemorySegment block = bytes.asSlice(0, BLOCK);
            assertThat(directly.beginRead(transfers, 512 + 1, block, 1)).isFalse();
            assertThat(directly.beginRead(transfers, 0, bytes.asSlice(1, BLOCK), 1))
                    .isFalse();
            assertThat(directly.beginWrite(transfers, 0, bytes.asSlice(0, BLOCK - 1), 1))
                    .isFalse();
            assertThat(directly.beginRead(transfers, -BLOCK, block, 1)).isFalse();
            assertThat(cached.beginRead(transfers, 0, block, 1))
                    .as("of no loop")
                    .isFalse();
            assertThat(ofAnother.beginRead(transfers, 0, block, 1)).isFalse();
            assertThat(read.beginWrite(transfers, 0, block, 1)).isFalse();
            Storage closed = cached.reopenFor(loop);
            closed.close();
            assertThat(closed.beginRead(transfers, 0, block, 1)).isFalse();
            assertThat(loop.busy()).isZero();
        }
    }

    @Test
    void aRefusedWriteHoldsNothing() throws IOException {
        try (Storage shared = open(CacheMode.NONE);
                FiberLoop loop = FiberLoop.open(8);
                Storage own = shared.reopenFor(loop)) {
            PlainTransfers transfers = loop.transfers(results::put);
            MemorySegment gone;
            try (Arena arena = Arena.ofConfined()) {
                gone = arena.allocate(BLOCK, BLOCK);
            }
            assertThatThrownBy(() -> own.beginWrite(transfers, 0, gone, 1)).isInstanceOf(RuntimeException.class);
            own.write(1, bytes.asSlice(0, 1));
            assertThat(loop.busy()).isZero();
        }
    }
}
