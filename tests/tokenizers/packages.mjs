// Installs the packages of package.json beside this file into a folder of the build, by their lock file.
import {spawnSync} from 'node:child_process';
import {copyFileSync, existsSync, mkdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';

// The folder that has node_modules. Ends the program with 77 when the registry cannot be reached.
export function installPackages(source, folder) {
  const target = join(folder, 'packages');
  const lock = readFileSync(join(source, 'package-lock.json'), 'utf8');
  const mark = join(target, 'node_modules', '.installed-lock');
  if (existsSync(mark) && readFileSync(mark, 'utf8') === lock) return target;
  mkdirSync(target, {recursive: true});
  for (const name of ['package.json', 'package-lock.json', '.npmrc']) copyFileSync(join(source, name), join(target, name));
  const npm = spawnSync('npm', ['ci', '--no-progress', '--ignore-scripts', '--loglevel=error'], {cwd: target, encoding: 'utf8'});
  if (npm.status !== 0) {
    console.log('SKIPPED: the packages that this test compares with could not be installed (it needs the npm registry once):');
    console.log(`${npm.stdout ?? ''}${npm.stderr ?? npm.error}`);
    process.exit(77);
  }
  copyFileSync(join(source, 'package-lock.json'), mark);
  return target;
}
