package dev.cowherd.nbd;

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
    public Queue openQueue() throws IOException {
        FileChannel channel = FileChannel.open(path, StandardOpenOption.READ);
        return new Queue() {
            @Override
            public void read(long offset, MemorySegment destination) throws IOException {
                ByteBuffer to = destination.asByteBuffer();
                long at = offset;
                while (to.hasRemaining()) {
                    int count = channel.read(to, at);
                    if (count < 0) {
                        throw new EOFException(path + " ends at " + at);
                    }
                    at += count;
                }
            }

            @Override
            public Run runAt(long offset, long maxLength) {
                return new Run(maxLength, false, false);
            }

            @Override
            public void close() throws IOException {
                channel.close();
            }
        };
    }
}
