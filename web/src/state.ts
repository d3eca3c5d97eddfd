// A value that several parts of a page show and change, such as the chosen layer.

export class Shared<T> {
  private listeners: ((value: T) => void)[] = [];
  constructor(private value: T) {}

  get(): T {
    return this.value;
  }

  set(value: T): void {
    if (value === this.value) return;
    this.value = value;
    for (const listener of this.listeners) listener(value);
  }

  // Calls the listener now and after every change.
  watch(listener: (value: T) => void): void {
    this.listeners.push(listener);
    listener(this.value);
  }
}
