package dev.cowherd.image;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.NonWritableChannelException;
import java.nio.channels.SeekableByteChannel;
import java.util.concurrent.locks.ReentrantLock;

/** A disk as a read-only channel with a position, for code that knows channels. One call at a time goes to its queue. */
final class DiskChannel implements SeekableByteChannel {
    private final Disk disk;
    private final DiskQueue queue;
    private final ReentrantLock lock = new ReentrantLock();
    private long position;
    private volatile boolean open = true;

    DiskChannel(Disk disk, DiskQueue queue) {
        this.disk = disk;
        this.queue = queue;
    }

    @Override
    public int read(ByteBuffer destination) throws IOException {
        lock.lock();
        try {
            refuseIfClosed();
            long left = disk.sizeBytes() - position;
            if (left <= 0) {
                return destination.hasRemaining() ? -1 : 0;
            }
            int length = (int) Math.min(left, destination.remaining());
            ByteBuffer part = destination.slice(destination.position(), length);
            queue.read(position, part);
            destination.position(destination.position() + length);
            position += length;
            return length;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public long position() throws IOException {
        lock.lock();
        try {
            refuseIfClosed();
            return position;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public SeekableByteChannel position(long newPosition) throws IOException {
        if (newPosition < 0) {
            throw new IllegalArgumentException("position " + newPosition);
        }
        lock.lock();
        try {
            refuseIfClosed();
            position = newPosition;
            return this;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public long size() throws IOException {
        refuseIfClosed();
        return disk.sizeBytes();
    }

    @Override
    public int write(ByteBuffer source) {
        throw new NonWritableChannelException();
    }

    @Override
    public SeekableByteChannel truncate(long size) {
        throw new NonWritableChannelException();
    }

    @Override
    public boolean isOpen() {
        return open && queue.isOpen();
    }

    @Override
    public void close() throws IOException {
        open = false;
        queue.close();
    }

    private void refuseIfClosed() throws ClosedChannelException {
        if (!isOpen()) {
            throw new ClosedChannelException();
        }
    }
}
