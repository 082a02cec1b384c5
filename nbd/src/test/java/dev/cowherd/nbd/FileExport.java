package dev.cowherd.nbd;

import dev.cowherd.image.Engine;
import dev.cowherd.storage.fiber.FiberLoop;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** A raw file as what is served: the least that stands between a client and the host, for tests of the protocol alone. */
record FileExport(Path path, long sizeBytes) implements Export {
    @Override
    public boolean isWritable() {
        return true;
    }

    @Override
    public Engine engine() {
        return Engine.AUTO;
    }

    @Override
    public Engine suitedEngine(int maxInflight) {
        return Engine.SYNC;
    }

    @Override
    public Pipeline openPipeline(FiberLoop loop, int depth) throws IOException {
        return new FiberPipeline(this, loop);
    }

    @Override
    public Queue openQueue() throws IOException {
        return new FileQueue(FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE));
    }

    private record FileQueue(FileChannel channel) implements Queue {
        private static final int ZEROS_BYTES = 1 << 20;

        @Override
        public void read(long offset, MemorySegment destination) throws IOException {
            ByteBuffer to = destination.asByteBuffer();
            long at = offset;
            while (to.hasRemaining()) {
                int count = channel.read(to, at);
                if (count < 0) {
                    throw new EOFException("the file ends at " + at);
                }
                at += count;
            }
        }

        @Override
        public Run runAt(long offset, long maxLength) {
            return new Run(maxLength, false, false);
        }

        @Override
        public void write(long offset, MemorySegment source) throws IOException {
            put(offset, source.asByteBuffer());
        }

        private void put(long offset, ByteBuffer from) throws IOException {
            long at = offset;
            while (from.hasRemaining()) {
                at += channel.write(from, at);
            }
        }

        @Override
        public void writeZeroes(long offset, long length, boolean mayUnmap) throws IOException {
            long step = ZEROS_BYTES;
            for (long done = 0; done < length; done += step) {
                step = Math.min(length - done, ZEROS_BYTES);
                put(offset + done, ByteBuffer.allocateDirect((int) step));
            }
        }

        @Override
        public boolean zeroesAreFast(long offset, long length) {
            return false;
        }

        @Override
        public void trim(long offset, long length) {}

        @Override
        public void flush() throws IOException {
            channel.force(false);
        }

        @Override
        public void close() throws IOException {
            channel.close();
        }
    }
}
