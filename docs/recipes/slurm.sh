#!/bin/bash
# Computes a plan as a Slurm array over one store on a disk that all nodes mount. From the project's folder:
#
#   ntk-claims plan --tier full --json plan.json
#   sbatch docs/recipes/slurm.sh                        or SHARDS=32 sbatch --array=1-32 docs/recipes/slurm.sh
#   pytest claims --tier full --replay --store store      once all have ended
#
#SBATCH --job-name=ntk-claims
#SBATCH --array=1-8
#SBATCH --cpus-per-task=4
#SBATCH --mem=16G
#SBATCH --time=04:00:00
#SBATCH --requeue
# For GPUs add: --gpus-per-task=1 (and DEVICE=cuda, so that a node without one is an error)

set -u
cd "${SLURM_SUBMIT_DIR:-.}" || exit 2

# A few minutes less than --time above: no cell is begun that would not end, and the rest is queued again.
python -m harness.sweep "${PLAN:-plan.json}" \
  --store "${STORE:-store}" \
  --shard "${SLURM_ARRAY_TASK_ID}/${SHARDS:-8}" \
  --device "${DEVICE:-auto}" \
  --minutes "${MINUTES:-230}"
status=$?

if [ "$status" = 3 ]; then
  scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
fi
exit "$status"
